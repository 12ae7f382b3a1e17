"""The audit log: who did what to keys, models and the service. Never texts, vectors or secrets."""

import getpass
from collections.abc import Mapping
from typing import Any

from embeddings_app.models import AuditEvent

_ADMIN = "admin:"


def record(actor: str, action: str, subject: str = "", detail: Mapping[str, Any] | None = None) -> None:
    """Add an event, in the caller's transaction if there is one: what is not recorded did not happen."""
    AuditEvent.objects.create(actor=actor, action=action, subject=subject, detail=dict(detail or {}))


def admin_actor(username: str) -> str:
    """The actor of something done in the admin."""
    return f"{_ADMIN}{username}"


def caller_actor(caller: str) -> str:
    """The actor of a request: the prefix of its key, or `root` or `keyless`; a person is named as in the admin."""
    return caller if caller.startswith(_ADMIN) else f"key:{caller}"


def command_actor() -> str:
    """The actor of a management command: the system user who runs it."""
    return f"command:{getpass.getuser()}"

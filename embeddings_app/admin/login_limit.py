"""Guessing passwords of the admin is slowed down: ten wrong ones from an address for a name, then one a minute."""

import hashlib
import threading
from functools import cache
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest

from embedding_project.broker.redis_clients import cache_client
from embedding_project.buckets import Buckets, Rate
from embedding_project.config import load_config
from embedding_project.threads.turns import request_turns

_HASHES_AT_ONCE = 1
"""Passwords that a process checks at a time: a check takes a whole core for a tenth of a second."""
_hashing = threading.Semaphore(_HASHES_AT_ONCE)
_WRONG_PASSWORDS = Rate(per_second=1 / 60, burst=10)


class LoginLimit:
    """Stands before the backend that knows passwords, and refuses to let it look while too many were wrong."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **_: Any) -> None:
        """Raises PermissionDenied, which ends the attempt, when the bucket is empty."""
        if request is None or username is None:
            return
        if _buckets().take(_bucket(request, username), _WRONG_PASSWORDS, 0, 0).left < 1:
            raise PermissionDenied


class Passwords(ModelBackend):
    """Django's own check of names and passwords, a few at a time. How many wait is bounded by the places of pages."""

    def authenticate(self, *arguments: Any, **credentials: Any) -> Any:
        with request_turns.away(), _hashing:
            return super().authenticate(*arguments, **credentials)


@receiver(user_login_failed)
def _count(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None:
        _buckets().take(_bucket(request, str(credentials.get("username"))), _WRONG_PASSWORDS, 1, 1)


def _bucket(request: HttpRequest, username: str) -> str:
    # Hashed, since a name may be a password typed into the wrong field.
    who = f"{request.META.get('REMOTE_ADDR', '')} {username}"
    return f"login:{hashlib.sha256(who.encode()).hexdigest()}"


@cache
def _buckets() -> Buckets:
    return Buckets(cache_client(load_config().cache_url))

"""The generated secrets of an instance: made once, kept in `<var>/secrets.json`, readable by its owner only."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from supervisor.errors import StartError

SECRETS_FILE = "secrets.json"


def _generate() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What an instance generates for itself. URL-safe characters only, because some end up in connection URLs."""

    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    database_password: str = field(default_factory=_generate, repr=False)
    """Of the ordinary database role the service uses."""
    database_owner_password: str = field(default_factory=_generate, repr=False)
    """Of the superuser `postgres`, used only to create the role and the database."""
    broker_password: str = field(default_factory=_generate, repr=False)
    cache_password: str = field(default_factory=_generate, repr=False)
    admin_password: str = field(default_factory=_generate, repr=False)
    """Of the first Django admin user."""


def load_or_create(var_dir: Path) -> Secrets:
    """The secrets of this instance. Raises StartError when the file is there and unreadable."""
    path = var_dir / SECRETS_FILE
    if not path.exists():
        created = Secrets()
        write_private(path, json.dumps(asdict(created), indent=1))
        return created
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Secrets(**{one.name: stored[one.name] for one in fields(Secrets) if one.name in stored})
    except (OSError, ValueError, AttributeError) as error:
        raise StartError(f"cannot read {path}: {error}. Restore it, or remove {var_dir} to start empty") from error


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; at no moment can another user read it or a reader see half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

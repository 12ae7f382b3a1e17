"""Which unprivileged user Postgres runs as when the supervisor is root, and what that user can reach."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from supervisor.errors import StartError

# `postgres` first: it exists where a distribution package is installed, and other daemons do not share it.
_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user that exists on this machine."""

    name: str
    uid: int
    gid: int


def database_account() -> Account | None:
    """The user to run Postgres as; None means the current one, which is not root. Raises StartError."""
    if os.geteuid() != 0:
        return None
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise StartError(
        f"Postgres refuses to run as root and none of the users {', '.join(_CANDIDATES)} exists; "
        "start as an ordinary user or set DATABASE_URL"
    )


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether `account` may pass through every directory above `path` (None: the current user, who made it)."""
    if account is None:
        return True
    return all(_may_enter(parent.stat(), account) for parent in path.resolve().parents if parent.exists())


def _may_enter(entry: os.stat_result, account: Account) -> bool:
    if entry.st_uid == account.uid:
        return bool(entry.st_mode & stat.S_IXUSR)
    if entry.st_gid == account.gid:
        return bool(entry.st_mode & stat.S_IXGRP)
    return bool(entry.st_mode & stat.S_IXOTH)


def give_to(path: Path, account: Account | None) -> None:
    """Make `account` the owner of a file or directory and of all that lies in it, unless it is that already."""
    if account is None or path.stat().st_uid == account.uid:
        return
    for entry in (*path.rglob("*"), path):
        os.chown(entry, account.uid, account.gid, follow_symlinks=False)

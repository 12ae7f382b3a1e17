"""Rows that were saved or deleted, gathered until their transaction is committed."""

from collections.abc import Callable
from functools import partial
from threading import local
from typing import Any

from django.db import transaction
from django.db.models import Model

Follow = Callable[[str, list[str]], object]
"""Takes the label of a model, and primary keys as texts."""


class _Pending(local):
    def __init__(self) -> None:
        self.keys: dict[tuple[str, str], dict[str, None]] = {}


_pending = _Pending()
_followers: list[Follow] = []


def follow_changes(follow: Follow) -> None:
    """Let this be called after each commit."""
    _followers.append(follow)


def note_change(sender: type[Model], instance: Model, using: str, **_: Any) -> None:
    """Of a transaction with many rows, what the first call after the commit finds is all of them. A row whose savepoint
    was rolled back costs a look at it, because what is written is the row as it is then."""
    label = sender._meta.label_lower
    _pending.keys.setdefault((using, label), {})[str(instance.pk)] = None
    transaction.on_commit(partial(_flush, using, label), using=using)


def _flush(using: str, label: str) -> None:
    keys = _pending.keys.pop((using, label), None)
    for follow in _followers if keys else ():
        follow(label, list(keys or ()))

"""Guessing passwords of the admin is slowed down, and costs little.

Each try is charged before its password is looked at, to its address and to its name, so tries that come at once count
like those that come in turn. A right password gets its charge back. Who is signed in needs no password.
"""

import hashlib
import math
import threading
from functools import cache
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest

from embedding_project.broker.redis_clients import broker_client
from embedding_project.buckets import Buckets, Rate
from embedding_project.config import load_config
from embedding_project.threads.turns import request_turns
from embeddings_app.services.access.client_address import client_address

_OF_ADDRESS = Rate(per_second=1 / 60, burst=10)
_OF_NAME = Rate(per_second=1 / 60, burst=100)
"""From all addresses together; so large that nobody locks an administrator out with a few tries."""
_HASHES_AT_ONCE = 1
"""Passwords that a process checks at a time: a check takes a whole core for a tenth of a second."""
_hashing = threading.Semaphore(_HASHES_AT_ONCE)


class LoginLimit:
    """Stands before the backend that knows passwords, and refuses to let it look while too many were wrong."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **_: Any) -> None:
        """Raises ValidationError, which ends the attempt and is shown by the form, when a bucket is empty."""
        if request is None or username is None:
            return
        for name, rate in _charges(request, username):
            grant = _buckets().take(name, rate, 1, 1)
            if not grant.tokens:
                seconds = math.ceil((1 - grant.left) / rate.per_second)
                raise ValidationError(
                    f"Too many attempts. No password is looked at now; try again in {seconds} seconds."
                )


class Passwords(ModelBackend):
    """Django's own check of names and passwords, a few at a time. How many wait is bounded by the places of pages."""

    def authenticate(self, *arguments: Any, **credentials: Any) -> Any:
        with request_turns.away(), _hashing:
            return super().authenticate(*arguments, **credentials)


@receiver(user_logged_in)
def _give_back(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if request is not None:
        for name, rate in _charges(request, user.get_username()):
            _buckets().give_back(name, rate, 1)


def _charges(request: HttpRequest, username: str) -> tuple[tuple[str, Rate], ...]:
    address = client_address().of(request.META)
    # Hashed, since a name may be a password typed into the wrong field.
    return (f"login:from:{address}", _OF_ADDRESS), (f"login:{hashlib.sha256(username.encode()).hexdigest()}", _OF_NAME)


@cache
def _buckets() -> Buckets:
    # With the patience of a broker: a moment's silence must not give everybody who guesses a full bucket.
    return Buckets(broker_client(load_config().cache_url))

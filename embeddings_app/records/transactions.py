"""Transactions that are tried again when Postgres asks for it."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, transaction
from psycopg import errors

from embedding_project.contracts.errors import Unavailable

Result = TypeVar("Result")
_TRIES = 4
_RETRYABLE = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)


class RetryTransaction(Exception):
    """Raised inside a transaction that lost a race it can win when it starts over."""


def in_transaction(work: Callable[[], Result]) -> Result:
    """Run `work` in one transaction; start over up to three times on deadlock, conflict or RetryTransaction.

    Raises Unavailable (busy) when the last try lost too.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            with transaction.atomic():
                return work()
        except (OperationalError, RetryTransaction) as error:
            retryable = isinstance(error, RetryTransaction) or isinstance(error.__cause__, _RETRYABLE)
            if not retryable:
                raise
            if attempt == _TRIES:
                raise Unavailable("busy") from error
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)
    raise AssertionError("unreachable")

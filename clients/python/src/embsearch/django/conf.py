"""The setting EMBSEARCH of a Django project, and the client that it describes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from embsearch.client import Client

Send = Callable[[str, Sequence[str]], object]
"""Takes the label of a model and primary keys as texts; somebody calls `sync` with them later."""


class OnFailure(StrEnum):
    """What a committed change does when the service does not take it."""

    RAISE = "raise"
    """The error reaches who saved the row, which stays saved."""
    LOG = "log"
    """The error is logged, and `manage.py reindex` mends the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    url: str | None = None
    api_key: str | None = None
    on_failure: OnFailure = OnFailure.RAISE
    send: str | None = None
    """Dotted path of a function that takes changes instead, to have them written elsewhere: a task of Celery."""
    wait: str | None = None
    """How far a write must have come before it returns."""
    timeout: float = 15.0
    """Seconds of one try, while somebody waits for a page; a write that waits takes up to ten."""
    deadline: float = 20.0
    """Seconds of a request with its retries."""

    @classmethod
    def read(cls) -> Self:
        """Raises ImproperlyConfigured."""
        given: dict[str, Any] = getattr(settings, "EMBSEARCH", {})
        known = {name.upper(): name for name in cls.__dataclass_fields__}
        if unknown := sorted(set(given) - set(known)):
            raise ImproperlyConfigured(f"EMBSEARCH has no {unknown[0]!r}; there are {', '.join(sorted(known))}")
        values = {known[name]: value for name, value in given.items()}
        try:
            values["on_failure"] = OnFailure(values.get("on_failure", OnFailure.RAISE))
        except ValueError:
            told = ", ".join(OnFailure)
            raise ImproperlyConfigured(f"ON_FAILURE of EMBSEARCH is one of {told}") from None
        return cls(**values)

    def sender(self) -> Send | None:
        return None if self.send is None else import_string(self.send)


def client() -> Client:
    """One of the process for each configuration."""
    conf = Conf.read()
    return _client(conf.url, conf.api_key, conf.timeout, conf.deadline)


@lru_cache(maxsize=8)
def _client(url: str | None, api_key: str | None, timeout: float, deadline: float) -> Client:
    return Client(url, api_key=api_key, timeout=timeout, deadline=deadline)

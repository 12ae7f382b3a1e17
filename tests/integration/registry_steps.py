"""Model versions on their way out of service, as far as a test needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

_SET = "UPDATE model_registry SET status = %s WHERE id = %s"


class Executes(Protocol):
    """A connection or a cursor."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...


def retire(database: Executes, key: int) -> None:
    """Take an active version through the steps that the registry allows."""
    for status in ("standby", "retiring", "retired"):
        database.execute(_SET, [status, key])


def take_back(database: Executes, key: int) -> None:
    """A retired version is active again. No version comes back, but the next tests need this one."""
    database.execute("ALTER TABLE model_registry DISABLE TRIGGER model_version_step")
    database.execute(_SET, ["active", key])
    database.execute("ALTER TABLE model_registry ENABLE TRIGGER model_version_step")


@contextmanager
def retired(database: Executes, key: int) -> Iterator[None]:
    """The version is retired for the length of the block."""
    retire(database, key)
    try:
        yield
    finally:
        take_back(database, key)

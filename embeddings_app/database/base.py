"""The backend Django loads by its ENGINE setting: its own for Postgres, over connections that give up."""

import logging
from functools import cached_property
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.utils import OperationalError

from embedding_project.threads.turns import request_turns
from embeddings_app.database.patience import Patience
from embeddings_app.database.pool import ConnectionPool
from embeddings_app.database.pulse import bounded, pulse

_FULL = ("too many clients", "too many connections", "connection slots")
"""How a server says so; a refused connection carries no code. Nothing else of what it says reaches the logs."""
logger = logging.getLogger(__name__)


class _BoundedConnection(psycopg.Connection[Any]):
    """Abandons an operation, and itself, once the server is silent; cancels it at the deadline of its caller."""

    generation = 0
    """Of the pulse when it was opened."""

    @property
    def is_good(self) -> bool:
        """Whether another thread can use it: it is whole, in no transaction, and its server did not go away since."""
        idle = self.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE
        return idle and self.generation == pulse.generation

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        patience = Patience(self)
        try:
            with request_turns.away():
                return super().wait(bounded(gen, patience.is_over), min(interval, patience.pause_seconds), timeout)
        except psycopg.errors.IdleInTransactionSessionTimeout:
            # No fault of the statement that hears of it: the connection is gone, as with a server that stops.
            raise psycopg.OperationalError("the server ended a transaction that rested for too long") from None
        except psycopg.OperationalError:
            if patience.given_up:
                self.pgconn.finish()
            if patience.cancelled:
                # Said the same way by a server that had no time to end the query.
                raise psycopg.errors.QueryCanceled("canceled at the deadline of its caller") from None
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    """Opens bounded connections, and none at all while the server is known not to answer.

    A connection goes back to the pool at the start and end of a request, unless the server went away: then it is
    closed, without asking it first.
    """

    def close_if_unusable_or_obsolete(self) -> None:
        super().close_if_unusable_or_obsolete()
        if self.connection is None or self.in_atomic_block:
            return
        if self.connection.is_good:
            _pool.give(self.connection)
            self.connection = None
        else:
            self.close()

    @cached_property
    def _connection_parameters(self) -> dict[str, Any]:
        return super().get_connection_params()

    def get_connection_params(self) -> dict[str, Any]:
        return self._connection_parameters

    def _set_autocommit(self, autocommit: bool) -> None:
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        keepers = {name: value for name, value in conn_params.items() if name not in ("cursor_factory", "context")}
        pulse.start(keepers)
        if pulse.silent:
            raise OperationalError("the server does not answer")
        while not (connection := _pool.take(lambda: _connect(conn_params))).is_good:
            connection.close()
        return connection


def _connect(parameters: dict[str, Any]) -> _BoundedConnection:
    generation = pulse.generation
    try:
        connection = _BoundedConnection.connect(**parameters)
    except psycopg.OperationalError as error:
        if any(words in str(error) for words in _FULL):
            logger.error("postgres takes no more connections: raise its max_connections, or lower API_THREADS")
        raise
    connection.generation = generation
    return connection


_pool: ConnectionPool[_BoundedConnection] = ConnectionPool()
"""Of this process."""

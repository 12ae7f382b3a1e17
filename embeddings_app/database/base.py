"""The backend Django loads by its ENGINE setting: its own for Postgres, over connections that give up."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.utils import OperationalError

from embedding_project.threads.turns import request_turns
from embeddings_app.database.patience import Patience
from embeddings_app.database.pulse import bounded, pulse


class _BoundedConnection(psycopg.Connection[Any]):
    """Abandons an operation, and itself, once the server is silent; cancels it at the deadline of its caller."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        patience = Patience(self)
        try:
            with request_turns.away():
                return super().wait(bounded(gen, patience.is_over), min(interval, patience.pause_seconds), timeout)
        except psycopg.OperationalError:
            if patience.given_up:
                self.pgconn.finish()
            if patience.cancelled:
                # Said the same way by a server that had no time to end the query.
                raise psycopg.errors.QueryCanceled("canceled at the deadline of its caller") from None
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    """Opens bounded connections, and none at all while the server is known not to answer.

    A connection from before the server went away is replaced at the start of a request, without asking it first.
    """

    _generation = 0

    def close_if_unusable_or_obsolete(self) -> None:
        if self.connection is not None and self._generation != pulse.generation and not self.in_atomic_block:
            self.close()
        super().close_if_unusable_or_obsolete()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        keepers = {name: value for name, value in conn_params.items() if name not in ("cursor_factory", "context")}
        pulse.start(keepers)
        if pulse.silent:
            raise OperationalError("the server does not answer")
        self._generation = pulse.generation
        return _BoundedConnection.connect(**conn_params)

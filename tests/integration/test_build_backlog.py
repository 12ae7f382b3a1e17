"""Upserts while too many documents are in no graph: refused, with the time that builds need, and nothing written."""

import pytest

from embedding_project.contracts.errors import Unavailable
from embeddings_app.records.sql import execute
from embeddings_app.services.documents import build_backlog
from embeddings_app.services.documents.deleting import delete
from tests.integration.indexing_steps import NAMESPACE, put, rows

pytestmark = pytest.mark.usefixtures("database")
BOUND = 250_000
"""What is allowed by default."""


def report(
    *, shard: int, replica: int, unbuilt: int, rate: float = 1_000.0, state: str = "ready", silent: int = 0
) -> None:
    """A heartbeat as an index node writes it."""
    execute(
        """
        INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, applied_seq, state, digest,
                                   documents, graph_documents, unbuilt_documents, built_per_second, heartbeat)
        SELECT l.id, m.id, %s, %s, e.epoch, 0, %s, 0, 0, 0, %s, %s, now() - make_interval(secs => %s)
        FROM layout l, model_registry m, log_epoch e
        WHERE l.status = 'active' AND m.model_id = 'all-MiniLM-L6-v2'
        """,
        [shard, replica, state, unbuilt, rate, silent],
    )
    build_backlog.forget_cached()


def test_an_upsert_is_refused_while_a_shard_has_too_many_unbuilt_documents() -> None:
    put(("kept", "text"))
    report(shard=0, replica=0, unbuilt=10)
    report(shard=1, replica=0, unbuilt=BOUND + 4_500)
    with pytest.raises(Unavailable) as caught:
        put(("refused", "text"))
    assert (caught.value.code, caught.value.retry_after_seconds) == ("overloaded", 128)
    assert rows("SELECT doc_id FROM document") == [("kept",)]
    assert delete(NAMESPACE, "kept").revision == 2


def test_the_best_replica_of_a_shard_counts() -> None:
    report(shard=0, replica=0, unbuilt=BOUND + 1)
    report(shard=0, replica=1, unbuilt=BOUND)
    put(("a", "text"))


@pytest.mark.parametrize("told", [{"state": "loading"}, {"state": "behind"}, {"silent": 60}])
def test_a_replica_that_does_not_answer_holds_up_no_writer(told: dict[str, object]) -> None:
    report(shard=0, replica=0, unbuilt=BOUND + 1, **told)  # type: ignore[arg-type]
    put(("a", "text"))


def test_writers_are_let_in_again() -> None:
    report(shard=0, replica=0, unbuilt=BOUND + 1)
    with pytest.raises(Unavailable):
        put(("a", "text"))
    execute("UPDATE shard_replica SET unbuilt_documents = %s", [BOUND])
    build_backlog.forget_cached()
    put(("a", "text"))

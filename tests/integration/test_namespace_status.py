"""Counts of a namespace end, however large it is."""

import pytest

from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.namespace_status import namespace_status
from tests.integration.indexing_steps import NAMESPACE, failing, index, make_due, put, rows

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def ten_documents(database: str) -> None:
    """a0 is quarantined, a1 to a4 are indexed, a5 is deleted, b0 to b4 are pending."""
    put(("a0", "poison"))
    for _ in range(3):
        index(lambda spec, texts: failing("model_error", len(texts)))
        make_due()
    put(*((f"a{number}", f"text {number}") for number in range(1, 6)))
    index()
    delete(NAMESPACE, "a5")
    put(*((f"b{number}", f"text {number}") for number in range(5)))


@pytest.mark.usefixtures("ten_documents")
def test_a_namespace_below_the_cap_is_counted_exactly() -> None:
    status = namespace_status(NAMESPACE)
    assert (status.count, status.pending, status.quarantined, status.count_is_exact) == (10, 5, 1, True)


@pytest.mark.usefixtures("ten_documents")
def test_beyond_the_cap_counts_stop_and_say_so() -> None:
    status = namespace_status(NAMESPACE, cap=4)
    assert (status.count, status.pending, status.quarantined, status.count_is_exact) == (4, 4, 1, False)


@pytest.mark.usefixtures("ten_documents")
def test_only_what_the_replicas_have_applied_is_searchable() -> None:
    assert namespace_status(NAMESPACE).searchable == 0
    rows(
        """
        INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, applied_seq, state, digest,
                                   documents, graph_documents, heartbeat)
        SELECT layout_id, model_version_id, shard, 0, e.epoch, head, 'ready', 0, 0, 0, now()
        FROM shard_counter, log_epoch e RETURNING id
        """
    )
    assert namespace_status(NAMESPACE).searchable == 4
    put(("a1", "text 1"), metadata={"n": 1})
    assert namespace_status(NAMESPACE).searchable == 3

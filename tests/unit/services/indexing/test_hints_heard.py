"""What an indexer remembers of hints: whose documents they were, for a bounded number of them."""

from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.origins import Origin
from embeddings_app.services.indexing.hints_heard import HintedOrigins

ANNE, BOB = Origin("anne"), Origin("bob")


def test_documents_name_their_requests_until_they_are_done() -> None:
    hinted = HintedOrigins()
    hinted.remember(IndexHint((1, 2, 3), (ANNE, ANNE, BOB)))
    assert hinted.of([1, 2, 3, 4]) == (ANNE, BOB)
    hinted.forget([3, 4])
    assert hinted.of([3, 2]) == (ANNE,)


def test_the_last_request_that_wrote_a_document_counts() -> None:
    hinted = HintedOrigins()
    hinted.remember(IndexHint((1,), (ANNE,)))
    hinted.remember(IndexHint((1,), (BOB,)))
    assert hinted.of([1]) == (BOB,)


def test_the_oldest_are_forgotten_first() -> None:
    hinted = HintedOrigins(limit=2)
    hinted.remember(IndexHint((1, 2), (ANNE, ANNE)))
    hinted.remember(IndexHint((1, 3), (BOB, BOB)))
    assert hinted.of([2]) == ()
    assert hinted.of([1, 3]) == (BOB,)

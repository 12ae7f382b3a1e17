"""A claim is a lease; only a text that fails on its own account is counted against."""

from collections.abc import Sequence

import pytest

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.records import embeddings
from embeddings_app.services.embedding.embed import EmbedOutcome
from tests.integration.indexing_steps import embed, embedded, failing, index, make_due, put, record

pytestmark = pytest.mark.usefixtures("database")


def test_a_claimed_record_is_not_claimed_again_until_its_lease_ends() -> None:
    put(("a", "one"))
    assert len(embeddings.claim_pending(10, 30.0)) == 1
    assert embeddings.claim_pending(10, 30.0) == []
    make_due()
    assert len(embeddings.claim_pending(10, 30.0)) == 1


def test_an_outage_counts_no_attempt_and_loses_nothing() -> None:
    put(("a", "one"), ("b", "two"))
    for _ in range(10):
        index(lambda spec, texts: failing("embedder_unavailable", len(texts)))
        index(lambda spec, texts: failing("broker_unavailable", len(texts)))
        make_due()
    assert record("a") == ("pending", 0, 0, 64)
    index()
    assert record("a")[0] == record("b")[0] == "ready"


def test_a_text_the_model_refuses_is_quarantined_after_three_attempts_and_its_mates_succeed() -> None:
    put(("good", "one"), ("bad", "poison"))

    def refuse(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        return [failing("model_error", 1)[0] if "poison" in text else embedded(text, spec.dimension) for text in texts]

    for attempt in (1, 2):
        index(refuse)
        assert record("bad")[0::2] == ("pending", attempt)
        make_due()
    index(refuse)
    assert record("bad")[0::2] == ("quarantined", 3)
    assert record("good")[0] == "ready"


def test_a_new_text_frees_a_quarantined_document() -> None:
    put(("a", "poison"))
    for _ in range(3):
        index(lambda spec, texts: failing("model_error", len(texts)))
        make_due()
    assert record("a")[0] == "quarantined"
    put(("a", "wholesome"))
    index()
    assert record("a")[0] == "ready"


def test_a_batch_that_took_its_embedder_down_is_halved_until_the_culprit_is_alone() -> None:
    put(*((f"d{number}", "poison" if number == 5 else f"text {number}") for number in range(16)))
    sizes: list[int] = []

    def crash(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        sizes.append(len(texts))
        return failing("embedder_unavailable", len(texts)) if "poison" in texts else embed(spec, texts)

    for _ in range(12):
        index(crash, embedder_restarted=True)
        make_due()
    assert record("d5")[0::2] == ("quarantined", 3)
    assert all(record(f"d{number}")[0] == "ready" for number in range(16) if number != 5)
    assert (min(sizes), max(sizes)) == (1, 16)

"""A claim is a lease; only a text that fails on its own account is counted against."""

from collections.abc import Sequence

import pytest

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.records import claims
from embeddings_app.records.claims import Claim, Turn, claim_pending
from embeddings_app.services.embedding.embed import EmbedOutcome
from tests.integration.indexing_steps import embed, embedded, failing, index, make_due, put, record, rows

pytestmark = pytest.mark.usefixtures("database")


def test_a_claimed_record_is_not_claimed_again_until_its_lease_ends() -> None:
    put(("a", "one"))
    assert len(claim_pending(10, 30.0, Turn())) == 1
    assert claim_pending(10, 30.0, Turn()) == []
    make_due()
    assert len(claim_pending(10, 30.0, Turn())) == 1


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


def test_a_failure_that_comes_late_is_not_counted_against_a_newer_text() -> None:
    put(("a", "poison"))
    found: list[tuple[int, str]] = []

    def overtaken(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        if "poison" in texts:
            put(("a", "wholesome"))
            return failing("model_error", len(texts))
        found.extend(rows("SELECT attempts, last_error FROM embedding_record"))
        return embed(spec, texts)

    index(overtaken)
    assert found == [(0, "")]
    assert record("a")[0] == "ready"


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("code", ["model_error", "embedder_unavailable"])
def test_a_failure_that_comes_late_leaves_the_claim_of_another_alone(code: str, restarted: bool) -> None:
    put(("a", "one"))
    taken: list[Claim] = []

    def overslept(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        make_due()
        taken.extend(claim_pending(10, 30.0, Turn()))
        return failing(code, len(texts))

    index(overslept, embedder_restarted=restarted)
    assert record("a") == ("pending", 0, 0, 64)
    assert rows("SELECT lease_until FROM embedding_record") == [(taken[0].lease_until,)]


def test_a_claim_is_one_batch_that_its_lease_covers() -> None:
    put(*((f"d{number}", f"text {number}") for number in range(16)))
    claims.release(claim_pending(6, 30.0, Turn()), 0.0, "an embedder died", batch_limit=4)
    sizes = []
    while batch := claim_pending(32, 30.0, Turn()):
        sizes.append((len(batch), batch[0].batch_limit))
    assert sorted(sizes) == [(2, 4), (4, 4), (10, 64)]

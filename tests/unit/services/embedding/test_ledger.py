"""What a process has under way: counted once, and never for ever."""

from dataclasses import replace

import numpy as np
import pytest

from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.tokens import pack_ids
from embedding_project.contracts.vectors import EmbeddedText
from embeddings_app.services.embedding.ledger import Ledger, TokenEstimates, summed
from tests.specs import SPEC

MODEL = "m@1"


def _items(*texts: str) -> list[EmbedItem]:
    return [EmbedItem(cache_key=text.encode(), text=text) for text in texts]


def _counted(tokens: int, *, truncated: bool = False) -> EmbeddedText:
    return EmbeddedText(np.zeros(SPEC.dimension, np.float32), tokens, truncated)


def test_texts_count_from_open_to_close() -> None:
    ledger = Ledger()
    first = ledger.open(Lane.INTERACTIVE, MODEL, {b"a": 10.0, b"b": 5.0}, lost_at=100)
    second = ledger.open(Lane.BULK, MODEL, {b"a": 10.0}, lost_at=100)
    assert ledger.queued(0) == {Lane.INTERACTIVE: {MODEL: 15.0}, Lane.BULK: {MODEL: 10.0}}
    ledger.close(first)
    ledger.close(first)
    assert ledger.queued(0) == {Lane.INTERACTIVE: {}, Lane.BULK: {MODEL: 10.0}}
    ledger.close(second)
    assert ledger.queued(0) == {lane: {} for lane in Lane}


def test_a_text_that_is_under_way_adds_no_work() -> None:
    ledger = Ledger()
    entry = ledger.open(Lane.INTERACTIVE, MODEL, {b"a": 10.0}, lost_at=100)
    assert ledger.fresh(Lane.INTERACTIVE, MODEL, {b"a": 10.0, b"b": 1.0}) == {b"b": 1.0}
    assert ledger.fresh(Lane.BULK, MODEL, {b"a": 10.0}) == {b"a": 10.0}
    ledger.close(entry)
    assert ledger.fresh(Lane.INTERACTIVE, MODEL, {b"a": 10.0}) == {b"a": 10.0}


def test_what_is_not_answered_in_time_is_presumed_lost_and_counts_no_longer() -> None:
    ledger = Ledger()
    late = ledger.open(Lane.INTERACTIVE, MODEL, {b"a": 10.0}, lost_at=7)
    ledger.open(Lane.INTERACTIVE, MODEL, {b"b": 1.0}, lost_at=9)
    assert ledger.queued(6.9)[Lane.INTERACTIVE] == {MODEL: 11.0}
    assert ledger.queued(7)[Lane.INTERACTIVE] == {MODEL: 1.0}
    ledger.close(late)
    assert ledger.queued(7)[Lane.INTERACTIVE] == {MODEL: 1.0}


def test_estimates_follow_what_the_model_counted() -> None:
    estimates = TokenEstimates()
    texts = _items("x" * 100)
    first = estimates.of(SPEC, texts)[texts[0].cache_key]
    estimates.learn(SPEC, texts, [_counted(102)])
    assert first == pytest.approx(27)
    assert estimates.of(SPEC, texts)[texts[0].cache_key] == pytest.approx(102)
    other = replace(SPEC, version=SPEC.version + 1)
    assert estimates.of(other, texts)[texts[0].cache_key] == pytest.approx(27)


def test_no_text_is_taken_for_longer_than_the_model_reads() -> None:
    texts = _items("x" * 100_000)
    assert list(TokenEstimates().of(SPEC, texts).values()) == [SPEC.max_tokens]


def test_token_ids_are_counted_and_not_estimated() -> None:
    item = EmbedItem(cache_key=b"k", text="", ids=pack_ids(range(40)))
    assert TokenEstimates().of(SPEC, [item]) == {b"k": 40}


def test_failed_and_cut_texts_teach_nothing() -> None:
    estimates = TokenEstimates()
    texts = _items("x" * 400, "y" * 400)
    before = estimates.of(SPEC, texts)
    estimates.learn(SPEC, texts, ["model_error", _counted(4, truncated=True)])
    assert estimates.of(SPEC, texts) == before


def test_counts_of_several_parts_add_up() -> None:
    assert summed({"a": 1.0}, {}, {"a": 2.0, "b": 3.0}) == {"a": 3.0, "b": 3.0}

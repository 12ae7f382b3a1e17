"""Token ids in place of texts, and batches that only ask for tokens."""

from dataclasses import replace

import pytest

from embedding_project.contracts.keys import ids_cache_key
from embedding_project.contracts.messages import EmbedItem, Purpose
from embedding_project.contracts.tokens import TokenizedText, pack_ids
from tests.integration.workers.real_model import real_model
from tests.unit.workers.builders import HASHING, RecordingEncoder, Setup, batch, embedded
from workers.encoders.base import Encoder, Tokens
from workers.encoders.hashing import HashingEncoder
from workers.requests import tokens_of


class Elsewhere:
    """An encoder whose tokenizer is not here."""

    def __init__(self) -> None:
        inner = RecordingEncoder()
        self.dimension, self.padded, self.memory_bytes = inner.dimension, inner.padded, inner.memory_bytes
        self.first_speed, self.longest_step_seconds = inner.first_speed, inner.longest_step_seconds
        self.tokenize, self.encode = inner.tokenize, inner.encode


@pytest.fixture
def encoder() -> RecordingEncoder:
    return RecordingEncoder()


def described(outcome: bytes | str) -> TokenizedText:
    assert isinstance(outcome, bytes), outcome
    text = TokenizedText.from_frame(outcome)
    assert text is not None
    return text


def test_a_tokenize_batch_is_answered_without_a_forward_pass(valkey_url: str, encoder: RecordingEncoder) -> None:
    setup = Setup(valkey_url, encoder)
    asked = batch("a red  fox", "w " * 20, purpose=Purpose.TOKENIZE)
    setup.embedder.admit(asked)
    assert setup.embedder.idle
    short, long = map(described, setup.run()[asked.batch_id].outcomes)
    assert encoder.steps == []
    assert (short.offsets, short.tokens, short.truncated) == (((0, 1), (2, 5), (7, 10)), 3, False)
    assert (len(long.ids), long.tokens, long.truncated) == (16, 20, True)
    assert list(short.ids) == encoder.tokenize(["a red  fox"])[0].ids


def test_ids_have_the_vector_of_their_text(valkey_url: str, encoder: RecordingEncoder) -> None:
    setup = Setup(valkey_url, encoder)
    packed = pack_ids(encoder.tokenize(["a red fox"])[0].ids)
    item = EmbedItem(cache_key=ids_cache_key(HASHING, packed), text="", ids=packed)
    text = batch("a red fox", "an owl")
    mixed = replace(text, items=(text.items[1], item, text.items[0]))
    setup.embedder.admit(mixed)
    _, by_ids, by_text = map(embedded, setup.run()[mixed.batch_id].outcomes)
    assert (by_ids.vector == by_text.vector).all()
    assert (by_ids.tokens, by_ids.truncated) == (3, False)


@pytest.mark.parametrize(
    ("made", "packed", "code"),
    [(HashingEncoder(8, 16), b"\x01\x02", "invalid_ids"), (Elsewhere(), pack_ids([1]), "no_tokenizer")],
)
def test_ids_that_cannot_be_read_fail_alone(valkey_url: str, made: Encoder, packed: bytes, code: str) -> None:
    setup = Setup(valkey_url, made)
    item = EmbedItem(cache_key=b"k", text="", ids=packed)
    text = batch("a red fox")
    mixed = replace(text, items=(item, *text.items))
    setup.embedder.admit(mixed)
    failed, fine = setup.run()[mixed.batch_id].outcomes
    assert failed == code
    assert embedded(fine).tokens == 3


def test_a_model_elsewhere_says_that_it_has_no_tokenizer(valkey_url: str) -> None:
    setup = Setup(valkey_url, Elsewhere())
    asked = batch("a", "b", purpose=Purpose.TOKENIZE)
    setup.embedder.admit(asked)
    assert setup.run()[asked.batch_id].outcomes == ("no_tokenizer", "no_tokenizer")


def test_both_kinds_of_messages_survive_the_wire() -> None:
    asked = batch("a", purpose=Purpose.TOKENIZE)
    with_ids = replace(asked, items=(EmbedItem(cache_key=b"k", text="", ids=pack_ids([1, 2])),))
    ended = replace(asked, items=(EmbedItem(cache_key=b"k", text="query: a", prompt_length=7, keep_end=True),))
    for sent in (asked, with_ids, ended):
        assert type(sent).from_wire(sent.to_wire()) == sent


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return real_model()


NOTHING = ["\ue000\ue001", "\ufffd", "\ufe0f", "\ufffd \ue0ff"]


@pytest.mark.parametrize("prompt", ["", "query: "])
def test_a_text_of_which_the_model_reads_nothing_is_empty_and_alone_in_that(minilm: Encoder, prompt: str) -> None:
    texts = [*NOTHING, "a fox", "\ufe0f a"]
    items = [EmbedItem(b"k", prompt + text, prompt_length=len(prompt)) for text in texts]
    found = tokens_of(minilm, items)
    assert found[:4] == ["empty_input"] * 4
    assert all(isinstance(tokens, Tokens) for tokens in found[4:])


@pytest.mark.parametrize("prompt", ["", "query: ", "\u2800 "])
def test_a_text_of_which_the_model_knows_nothing_is_marked(minilm: Encoder, prompt: str) -> None:
    texts = ["\U0001f98a", "\u2800", "\U0001f98a \U0001f98b", "a \U0001f98a", "\u2800.", "a fox"]
    found = tokens_of(minilm, [EmbedItem(b"k", prompt + text, prompt_length=len(prompt)) for text in texts])
    assert [isinstance(tokens, Tokens) and tokens.unknown for tokens in found] == [True] * 3 + [False] * 3


def test_a_text_that_equals_a_prompt_is_not_empty(minilm: Encoder) -> None:
    assert isinstance(tokens_of(minilm, [EmbedItem(b"k", "query: ")])[0], Tokens)


@pytest.mark.parametrize("words", [1, 254, 255, 900])
def test_the_end_is_kept_where_that_is_asked_for(minilm: Encoder, words: int) -> None:
    text = " ".join(f"{number % 10}" for number in range(words))
    (end,) = tokens_of(minilm, [EmbedItem(b"k", text, keep_end=True)])
    (wanted,) = minilm.tokenize([" ".join(text.split()[-254:])])
    assert isinstance(end, Tokens)
    assert (list(end.ids), end.truncated) == (list(wanted.ids), words > 254)


def test_a_step_may_hold_texts_cut_on_either_side(encoder: RecordingEncoder) -> None:
    text = " ".join(map(str, range(20)))
    items = [EmbedItem(b"a", text), EmbedItem(b"b", text, keep_end=True), EmbedItem(b"c", "short", keep_end=True)]
    begin, end, short = tokens_of(encoder, items)
    assert begin == encoder.tokenize([text])[0]
    assert end == replace(encoder.tokenize([" ".join(map(str, range(4, 20)))])[0], truncated=True)
    assert short == encoder.tokenize(["short"])[0]


def test_a_model_elsewhere_cannot_cut_in_front() -> None:
    assert tokens_of(Elsewhere(), [EmbedItem(b"k", "text", keep_end=True)]) == ["no_tokenizer"]

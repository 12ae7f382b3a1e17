"""The work of a tokenizer: the tokens of items to embed, and the answers to tokenise requests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from embedding_project.contracts.messages import EmbedBatch, EmbedItem
from embedding_project.contracts.tokens import unpack_ids
from workers.compute import isolate
from workers.encoders.base import PLAIN_WORD, Encoder, ReadsPairs, Tokens
from workers.encoders.vocabulary import HasVocabulary
from workers.tickets import EMPTY_INPUT, MODEL_ERROR, Outcome

NO_TOKENIZER = "no_tokenizer"
INVALID_IDS = "invalid_ids"
_PLAIN_PAIR = (PLAIN_WORD, PLAIN_WORD)


def tokens_of(encoder: Encoder, items: Sequence[EmbedItem]) -> list[Tokens | str]:
    """The tokens of each item, text, ids or pair, or an error code. Raises ModelAway."""
    if isinstance(encoder, ReadsPairs):
        pairs = isolate(encoder.tokenize_pairs, [(item.text, item.second) for item in items], lambda: [_PLAIN_PAIR])
        return [MODEL_ERROR if tokens is None else tokens for tokens in pairs]
    beginnings = iter(isolate(encoder.tokenize, [item.text for item in items if not _cut_in_front(item)], _plain))
    ends = iter(_ends(encoder, [item.text for item in items if _cut_in_front(item)]))
    found = [next(ends if _cut_in_front(item) else beginnings) for item in items]
    prompts = _Prompts(encoder)
    return [
        _read(encoder, item.ids) if item.ids else prompts.judged(tokens, item) or MODEL_ERROR
        for item, tokens in zip(items, found, strict=True)
    ]


def _cut_in_front(item: EmbedItem) -> bool:
    return item.keep_end and not item.ids


def _ends(encoder: Encoder, texts: Sequence[str]) -> Sequence[Tokens | str | None]:
    if not texts or not isinstance(encoder, HasVocabulary):
        return [NO_TOKENIZER] * len(texts)
    return isolate(encoder.vocabulary.ends, texts, _plain)


class _Prompts:
    """The tokens of prompts without a text after them, which show what the model reads of a text itself."""

    def __init__(self, encoder: Encoder) -> None:
        self._tokenize = encoder.tokenize if isinstance(encoder, HasVocabulary) else None
        self._unknown_id = encoder.vocabulary.unknown_id if isinstance(encoder, HasVocabulary) else None
        self._read: dict[str, Tokens | None] = {}

    def judged(self, tokens: Tokens | str | None, item: EmbedItem) -> Tokens | str | None:
        """`tokens`, marked when the model knows nothing of the text of `item`; EMPTY_INPUT when it reads nothing."""
        if self._tokenize is None or not isinstance(tokens, Tokens):
            return tokens
        prompt = item.text[: item.prompt_length]
        if prompt not in self._read:
            (self._read[prompt],) = isolate(self._tokenize, [prompt], _plain)
        alone = self._read[prompt]
        if alone is None:
            return tokens
        if list(alone.ids) == list(tokens.ids):
            return EMPTY_INPUT
        if self._unknown_id in tokens.ids and (Counter(tokens.ids) - Counter(alone.ids)).keys() == {self._unknown_id}:
            return replace(tokens, unknown=True)
        return tokens


def _read(encoder: Encoder, packed: bytes) -> Tokens | str:
    if not isinstance(encoder, HasVocabulary):
        return NO_TOKENIZER
    try:
        return encoder.vocabulary.read(unpack_ids(packed)) or INVALID_IDS
    except ValueError:
        return INVALID_IDS


def described(encoder: Encoder, batch: EmbedBatch) -> list[Outcome]:
    """The tokens, offsets and special tokens of each text of `batch`. Raises ModelAway."""
    if not isinstance(encoder, HasVocabulary):
        return [NO_TOKENIZER] * len(batch.items)
    found = isolate(encoder.vocabulary.describe, [item.text for item in batch.items], _plain)
    return [MODEL_ERROR if text is None else text.to_frame() for text in found]


def _plain() -> list[str]:
    return [PLAIN_WORD]

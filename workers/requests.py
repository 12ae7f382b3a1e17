"""The work of a tokenizer: the tokens of items to embed, and the answers to tokenise requests."""

from collections.abc import Sequence

from embedding_project.contracts.messages import EmbedBatch, EmbedItem
from embedding_project.contracts.tokens import unpack_ids
from workers.compute import isolate
from workers.encoders.base import PLAIN_WORD, Encoder, Tokens
from workers.encoders.vocabulary import HasVocabulary
from workers.tickets import EMPTY_INPUT, MODEL_ERROR, Outcome

NO_TOKENIZER = "no_tokenizer"
INVALID_IDS = "invalid_ids"


def tokens_of(encoder: Encoder, items: Sequence[EmbedItem]) -> list[Tokens | str]:
    """The tokens of each item, text or ids, or an error code. Raises ModelAway."""
    beginnings = iter(isolate(encoder.tokenize, [item.text for item in items if not _cut_in_front(item)], _plain))
    ends = iter(_ends(encoder, [item.text for item in items if _cut_in_front(item)]))
    found = [next(ends if _cut_in_front(item) else beginnings) for item in items]
    blank = _Blank(encoder)
    return [
        _read(encoder, item.ids) if item.ids else EMPTY_INPUT if blank.is_all(tokens, item) else tokens or MODEL_ERROR
        for item, tokens in zip(items, found, strict=True)
    ]


def _cut_in_front(item: EmbedItem) -> bool:
    return item.keep_end and not item.ids


def _ends(encoder: Encoder, texts: Sequence[str]) -> Sequence[Tokens | str | None]:
    if not texts or not isinstance(encoder, HasVocabulary):
        return [NO_TOKENIZER] * len(texts)
    return isolate(encoder.vocabulary.ends, texts, _plain)


class _Blank:
    """The tokens of prompts without a text after them."""

    def __init__(self, encoder: Encoder) -> None:
        self._tokenize = encoder.tokenize if isinstance(encoder, HasVocabulary) else None
        self._read: dict[str, Tokens | None] = {}

    def is_all(self, tokens: Tokens | str | None, item: EmbedItem) -> bool:
        """Whether the model would read nothing but the prompt of `item`."""
        if self._tokenize is None or not isinstance(tokens, Tokens):
            return False
        prompt = item.text[: item.prompt_length]
        if prompt not in self._read:
            (self._read[prompt],) = isolate(self._tokenize, [prompt], _plain)
        alone = self._read[prompt]
        return alone is not None and list(alone.ids) == list(tokens.ids)


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

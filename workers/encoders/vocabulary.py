"""More facts of a tokenizer than the ids of a text: the place of each id, and all ids of the vocabulary.

An encoder with a tokenizer in this process has a `vocabulary`; an encoder that calls an endpoint has none.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from embedding_project.contracts.tokens import TokenizedText
from workers.encoders.base import Tokens


class Vocabulary(Protocol):
    @property
    def unknown_id(self) -> int | None:
        """The id of everything that has no id of its own; None when everything has one."""

    def describe(self, texts: Sequence[str]) -> list[TokenizedText]:
        """One entry per text, with the ids that `Encoder.tokenize` gives."""

    def ends(self, texts: Sequence[str]) -> list[Tokens]:
        """Like `Encoder.tokenize`, but a text that is too long loses its beginning."""

    def read(self, ids: Sequence[int]) -> Tokens | None:
        """`ids` as the model reads them, without added ids; None when an id is not in the vocabulary."""


@runtime_checkable
class HasVocabulary(Protocol):
    @property
    def vocabulary(self) -> Vocabulary: ...


class TokenizerVocabulary:
    """Of a fast tokenizer that cuts at `max_tokens`."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        # There may be a gap between the ids of added tokens and the other ids.
        # A Unigram model keeps the name to itself; sentencepiece always uses this one.
        self.unknown_id: int | None = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "<unk>")
        self._ids = frozenset(tokenizer.get_vocab(with_added_tokens=True).values())

    def describe(self, texts: Sequence[str]) -> list[TokenizedText]:
        return [_described(encoding) for encoding in self._tokenizer.encode_batch(list(texts))]

    def ends(self, texts: Sequence[str]) -> list[Tokens]:
        return [self._end(encoding) for encoding in self._tokenizer.encode_batch(list(texts))]

    def _end(self, encoding: Any) -> Tokens:
        if not encoding.overflowing or self._tokenizer.truncation["direction"] == "left":
            return Tokens(ids=encoding.ids, truncated=bool(encoding.overflowing))
        content = [
            token
            for part in (encoding, *encoding.overflowing)
            for token, special in zip(part.ids, part.special_tokens_mask, strict=True)
            if not special
        ]
        places = [place for place, special in enumerate(encoding.special_tokens_mask) if not special]
        ids = list(encoding.ids)
        ids[places[0] : places[-1] + 1] = content[len(content) - len(places) :]
        return Tokens(ids=ids, truncated=True)

    def read(self, ids: Sequence[int]) -> Tokens | None:
        return cut(ids, self._max_tokens) if self._ids.issuperset(ids) else None


def cut(ids: Sequence[int], max_tokens: int) -> Tokens:
    """The first `max_tokens` of `ids`."""
    return Tokens(ids=ids[:max_tokens], truncated=len(ids) > max_tokens)


def _described(encoding: Any) -> TokenizedText:
    special = tuple(map(bool, encoding.special_tokens_mask))
    beyond = sum(len(part.ids) - sum(part.special_tokens_mask) for part in encoding.overflowing)
    return TokenizedText(
        ids=tuple(encoding.ids),
        offsets=tuple(encoding.offsets),
        special=special,
        tokens=len(encoding.ids) + beyond,
    )

"""An encoder without a model: the vector is a hash of the words. For tests, and to measure the rest of the service."""

import hashlib
import re
import struct
from collections.abc import Sequence

import numpy as np

from embedding_project.contracts.tokens import TokenizedText
from embedding_project.contracts.vectors import Vector, unit_length
from workers.encoders.base import LONGEST_COMPUTED_SECONDS, Tokens
from workers.encoders.vocabulary import cut

_WORD = re.compile(r"[^ \t\n\r\f\v]+")
"""The same words that `bytes.split` gives."""


class HashingEncoder:
    """The same words in the same order give the same unit vector, on every machine."""

    def __init__(self, dimension: int, max_tokens: int) -> None:
        self._dimension = dimension
        self._max_tokens = max_tokens
        self.vocabulary = HashingVocabulary(max_tokens)

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def memory_bytes(self) -> int:
        return 0

    @property
    def padded(self) -> bool:
        return False

    @property
    def first_speed(self) -> float:
        return 0.0

    @property
    def longest_step_seconds(self) -> float:
        return LONGEST_COMPUTED_SECONDS

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        return [self._tokens(text.encode().split()) for text in texts]

    def _tokens(self, words: list[bytes]) -> Tokens:
        return cut([_word_id(word) for word in words[: self._max_tokens + 1]] or [0], self._max_tokens)

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        streams = b"".join(self._stream(tokens) for tokens in batch)
        numbers = np.frombuffer(streams, dtype="<i4").reshape(len(batch), self._dimension)
        return unit_length(numbers.astype(np.float32))

    def _stream(self, tokens: Tokens) -> bytes:
        packed = struct.pack(f"<{len(tokens)}Q", *tokens.ids)
        return hashlib.shake_128(packed).digest(4 * self._dimension)


class HashingVocabulary:
    """Every id of 32 bits is a word."""

    unknown_id = None

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens

    def describe(self, texts: Sequence[str]) -> list[TokenizedText]:
        return [self._described([match.span() for match in _WORD.finditer(text)], text) for text in texts]

    def _described(self, spans: list[tuple[int, int]], text: str) -> TokenizedText:
        read = spans[: self._max_tokens]
        return TokenizedText(
            ids=tuple(_word_id(text[start:end].encode()) for start, end in read),
            offsets=tuple(read),
            special=(False,) * len(read),
            tokens=len(spans),
        )

    def ends(self, texts: Sequence[str]) -> list[Tokens]:
        words = [text.encode().split() for text in texts]
        kept = [[_word_id(word) for word in found[-self._max_tokens :]] for found in words]
        return [Tokens(ids=ids, truncated=len(found) > len(ids)) for ids, found in zip(kept, words, strict=True)]

    def read(self, ids: Sequence[int]) -> Tokens | None:
        return cut(ids, self._max_tokens)


def _word_id(word: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(word, digest_size=4).digest(), "little")

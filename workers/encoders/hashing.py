"""An encoder without a model: the vector is a hash of the words. For tests and for measuring everything around it."""

import hashlib
import struct
from collections.abc import Sequence

import numpy as np

from embedding_project.contracts.vectors import Vector, unit_length
from workers.encoders.base import Tokens

ARTIFACT = "hashing:"


class HashingEncoder:
    """The same words in the same order give the same unit vector, on every machine."""

    def __init__(self, dimension: int, max_tokens: int) -> None:
        self._dimension = dimension
        self._max_tokens = max_tokens

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def padded(self) -> bool:
        return False

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        return [self._tokens(text.encode().split()) for text in texts]

    def _tokens(self, words: list[bytes]) -> Tokens:
        ids = [_word_id(word) for word in words[: self._max_tokens]]
        return Tokens(ids=ids or [0], truncated=len(words) > self._max_tokens)

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        streams = b"".join(self._stream(tokens) for tokens in batch)
        numbers = np.frombuffer(streams, dtype="<i4").reshape(len(batch), self._dimension)
        return unit_length(numbers.astype(np.float32))

    def _stream(self, tokens: Tokens) -> bytes:
        packed = struct.pack(f"<{len(tokens)}Q", *tokens.ids)
        return hashlib.shake_128(packed).digest(4 * self._dimension)


def _word_id(word: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little")

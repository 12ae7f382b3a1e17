"""Token ids as values, packed for messages, and the facts of a tokenizer about a text."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ID_LIMIT = 2**32
"""Ids of every vocabulary are below this number."""
_WIRE = np.dtype("<u4")
ID_BYTES = _WIRE.itemsize
"""Bytes of one packed id."""
_FRAME_VERSION = 1
_HEADER = struct.Struct("<BII")
"""version, tokens of the whole text, ids that follow"""


def pack_ids(ids: Sequence[int]) -> bytes:
    """Ids, each from 0 to `ID_LIMIT` - 1, in the form of a message."""
    return np.array(ids, dtype=_WIRE).tobytes()


def unpack_ids(packed: bytes) -> list[int]:
    """The ids in `packed`. Raises ValueError when its length does not fit."""
    ids: list[int] = np.frombuffer(packed, dtype=_WIRE).tolist()
    return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedText:
    """A text as its model reads it."""

    ids: tuple[int, ...]
    """With special tokens, at most as many as the model reads."""
    offsets: tuple[tuple[int, int], ...]
    """Of each id: the place of its first character in the text, and the place after its last one."""
    special: tuple[bool, ...]
    """Of each id: whether the model adds it to every text."""
    tokens: int
    """Number of ids of the whole text, with special ids, and with ids that the model does not read."""

    @property
    def truncated(self) -> bool:
        return self.tokens > len(self.ids)

    def to_frame(self) -> bytes:
        """The bytes sent in replies."""
        header = _HEADER.pack(_FRAME_VERSION, self.tokens, len(self.ids))
        starts, ends = ([offset[side] for offset in self.offsets] for side in (0, 1))
        return header + b"".join(map(pack_ids, (self.ids, starts, ends))) + bytes(self.special)

    @classmethod
    def from_frame(cls, frame: bytes) -> "TokenizedText | None":
        """The tokens in `frame`, or None when it is damaged or of another version."""
        if len(frame) < _HEADER.size:
            return None
        version, tokens, count = _HEADER.unpack_from(frame)
        payload, width = frame[_HEADER.size :], _WIRE.itemsize * count
        if version != _FRAME_VERSION or len(payload) != 3 * width + count:
            return None
        ids, starts, ends = (unpack_ids(payload[part * width : (part + 1) * width]) for part in range(3))
        return cls(
            ids=tuple(ids),
            offsets=tuple(zip(starts, ends, strict=True)),
            special=tuple(map(bool, payload[3 * width :])),
            tokens=tokens,
        )

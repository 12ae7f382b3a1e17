"""The seam between the drain and whatever computes vectors.

Tokenising and encoding are two calls, so that lengths are known before a step is planned and the two may overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from embedding_project.contracts.vectors import Vector

PLAIN_WORD = "hello"
"""Every model embeds it: where one does not, no text is to blame."""


class ModelError(Exception):
    """The model cannot be used; the message says why and holds no user text."""


class TextRefused(ModelError):
    """What computes the vectors is known to be well, and does not take this text."""


class ModelAway(Exception):
    """What computes the vectors cannot be used now, such as an endpoint: no fault of any text; the message says why."""


class ModelLoading(Exception):
    """The model is on its way into memory: ask again soon."""


class DeviceLost(Exception):
    """The accelerator failed for good: only a new process can use it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One text as the model reads it."""

    ids: Sequence[int]
    """Token ids with special tokens, at most `max_tokens` of them."""
    truncated: bool
    """Whether the text had more."""

    def __len__(self) -> int:
        return len(self.ids)


class Encoder(Protocol):
    @property
    def dimension(self) -> int: ...

    @property
    def memory_bytes(self) -> int:
        """Of its weights."""

    @property
    def padded(self) -> bool:
        """Whether a step costs its longest text in every row, and not just the tokens there are."""

    @property
    def first_speed(self) -> float:
        """Tokens per second of a pass at its load; 0 where none was made."""

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """One entry per text. Text that looks like a special token is plain text."""

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        """Vectors of shape (len(batch), dimension), not normalised."""

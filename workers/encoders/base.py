"""The interface between the drain loop and everything that computes vectors.

To tokenise and to encode are two calls, so that lengths are known before a step is planned, and the two may overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from embedding_project.contracts.vectors import Vector

LONGEST_COMPUTED_SECONDS = 2.0
"""Of an `encode` that this machine computes. Steps are planned for far less."""
PLAIN_WORD = "hello"
"""Every model embeds this word: when a model does not, no text is to blame."""


class ModelError(Exception):
    """The model cannot be used; the message says why and holds no user text."""


class TextRefused(ModelError):
    """The model or endpoint works for other texts, and does not take this one."""


class ModelAway(Exception):
    """The model or endpoint cannot be used now, which is no fault of any text; the message says why."""


class ModelLoading(Exception):
    """The model is being loaded: the caller should try again soon."""


class DeviceLost(Exception):
    """The accelerator failed for good: only a new process can use it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One text as the model reads it."""

    ids: Sequence[int]
    """Token ids with special tokens, at most `max_tokens`."""
    truncated: bool
    """Whether the text had more tokens."""
    types: Sequence[int] = ()
    """Of each id, whether it is of the first text or of the second; empty for a text alone."""
    unknown: bool = False
    """Whether the model knows none of the tokens of the text: it reads all such texts of one length alike."""

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
        """Whether every row of a step costs as much as its longest text, and not only its own tokens."""

    @property
    def first_speed(self) -> float:
        """Tokens per second of a pass at the load; 0 without such a pass."""

    @property
    def longest_step_seconds(self) -> float:
        """An `encode` that takes longer may never end. A step is several where the model does not take it whole."""

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """One entry per text. Text that looks like a special token is plain text."""

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        """Vectors of shape (len(batch), dimension), not normalised."""


@runtime_checkable
class ReadsPairs(Protocol):
    """An encoder that reads two texts together, and gives one number for them."""

    def tokenize_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Tokens]:
        """One entry per pair. Of a pair that is too long, the longer text loses its end."""

"""An admitted batch, and the outcomes of its items so far."""

import time
from dataclasses import dataclass, field

from embedding_project.contracts.messages import EmbedBatch, EmbedReply

MODEL_ERROR = "model_error"
"""The model could not embed this text."""
EMPTY_INPUT = "empty_input"
"""The model reads nothing of this text."""
MODEL_UNAVAILABLE = "model_unavailable"
"""The model cannot be loaded here: no fault of any text."""
NOT_COMPUTED = "embedder_unavailable"
"""The time was over before this text had its turn: no fault of it."""

Outcome = bytes | str
"""A frame of `EmbeddedText`, or an error code."""


@dataclass(slots=True, eq=False)
class Ticket:
    batch: EmbedBatch
    raw: bytes
    """The message as it was popped, for `put_back` at a stop; empty when it cannot go back."""
    outcomes: list[Outcome | None] = field(init=False)
    missing: int = field(init=False)
    admitted_ns: int = field(default_factory=time.time_ns)
    """Nanoseconds since the epoch."""

    def __post_init__(self) -> None:
        self.outcomes = [None] * len(self.batch.items)
        self.missing = len(self.batch.items)

    def settle(self, position: int, outcome: Outcome) -> None:
        self.outcomes[position] = outcome
        self.missing -= 1

    def unsettled(self) -> list[int]:
        """Positions of the items that have no outcome yet."""
        return [position for position, outcome in enumerate(self.outcomes) if outcome is None]

    def reply(self) -> EmbedReply:
        outcomes = tuple(outcome for outcome in self.outcomes if outcome is not None)
        return EmbedReply(batch_id=self.batch.batch_id, outcomes=outcomes)

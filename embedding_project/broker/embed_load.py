"""How much text waits for the embedders and how fast they compute, and the waiting times that follow from both.

The unit of work is the token. The backlog is a time: waiting tokens divided by the tokens per second of all embedders.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec

UNKNOWN_TIMES_SLOWER = 10
"""A model that no embedder has measured counts as so much slower than the slowest measured model."""
Tokens = Mapping[str, float]
"""Model version -> number of tokens."""


def model_name(spec: ModelSpec) -> str:
    """The name of a model version in reports of speeds and backlogs."""
    return f"{spec.model_id}@{spec.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedLoad:
    """The load of the whole service at one moment."""

    embedders: int
    """Number of embedders that reported lately."""
    speeds: Tokens
    """Model version -> tokens per second of one embedder, on the average of the embedders that measured it."""
    queued: Mapping[Lane, Tokens]
    """Sent and not answered yet."""
    refused_at: float = 0.0
    """When the last request was refused for load, in seconds since the epoch; 0 for long ago."""

    @property
    def tokens_per_second(self) -> float:
        """The speed of all embedders together, on the average of the measured models."""
        return self.embedders * sum(self.speeds.values()) / len(self.speeds) if self.speeds else 0.0

    def queued_tokens(self, lane: Lane) -> float:
        return sum(self.queued.get(lane, {}).values())

    def seconds(self, tokens: Tokens) -> float | None:
        """How long all embedders together need for `tokens`; None without an embedder or a known speed."""
        if not any(tokens.values()):
            return 0.0
        if not self.embedders or not self.speeds:
            return None
        # The load of a model measures its speed: a model without a speed must be loaded before its first text.
        unknown = min(self.speeds.values()) / UNKNOWN_TIMES_SLOWER
        return sum(count / self.speeds.get(model, unknown) for model, count in tokens.items()) / self.embedders

    def backlog_seconds(self, lane: Lane) -> float | None:
        """How long the embedders need for the texts that wait on `lane` alone."""
        return self.seconds(self.queued.get(lane, {}))


IDLE = EmbedLoad(embedders=0, speeds={}, queued={})

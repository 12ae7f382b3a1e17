"""How much text waits for the embedders and how fast they compute: the figures, and what follows from them.

Work is counted in tokens. Divided by the tokens that all live embedders compute in a second it is a time, the backlog.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec

UNKNOWN_TIMES_SLOWER = 10
"""A model that no embedder has measured is taken to be so much slower than the slowest that one has."""
Tokens = Mapping[str, float]
"""Model version -> tokens of it."""


def model_name(spec: ModelSpec) -> str:
    """How a model version is called where speeds and backlogs are told."""
    return f"{spec.model_id}@{spec.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedLoad:
    """The load of the whole service at one moment."""

    embedders: int
    """Those that reported lately."""
    speeds: Tokens
    """Model version -> tokens per second that one embedder computes, on the average of those that measured it."""
    queued: Mapping[Lane, Tokens]
    """Sent and not answered yet."""
    refused_at: float = 0.0
    """When a request was last refused for load, in seconds since the epoch; 0 for long ago."""

    @property
    def tokens_per_second(self) -> float:
        """The speed of all embedders together, on the average of the models that were measured."""
        return self.embedders * sum(self.speeds.values()) / len(self.speeds) if self.speeds else 0.0

    def queued_tokens(self, lane: Lane) -> float:
        return sum(self.queued.get(lane, {}).values())

    def seconds(self, tokens: Tokens) -> float | None:
        """How long all embedders together compute `tokens`; None when no speed is known, or nobody computes."""
        if not any(tokens.values()):
            return 0.0
        if not self.embedders or not self.speeds:
            return None
        # A load measures the model: one without a speed has to be loaded before the first text of it is computed.
        unknown = min(self.speeds.values()) / UNKNOWN_TIMES_SLOWER
        return sum(count / self.speeds.get(model, unknown) for model, count in tokens.items()) / self.embedders

    def backlog_seconds(self, lane: Lane) -> float | None:
        """How long the embedders need for what waits on `lane` alone."""
        return self.seconds(self.queued.get(lane, {}))


IDLE = EmbedLoad(embedders=0, speeds={}, queued={})

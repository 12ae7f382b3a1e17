"""Texts ranked by a cross-encoder, which reads each beside the query: slower than vectors, and better in front."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embedding_project.contracts.errors import InvalidRequest, Unavailable
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, EmbedOutcome, score_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    index: int
    """Where the text stood among those that were given."""
    raw: float
    """As the model gives it."""
    tokens: int
    """Of the query and the text together."""
    truncated: bool
    """The pair was longer than the model reads: the longer of the two lost its end."""

    @property
    def relevance(self) -> float:
        """0 to 1."""
        return 1.0 / (1.0 + math.exp(-max(min(self.raw, 700.0), -700.0)))


def rerank(spec: ModelSpec, query: str, texts: Sequence[str], deadline: float, field: str) -> list[Ranked]:
    """All texts, the most relevant first; equal ones in the order in which they were given. `deadline`: monotonic
    seconds. Raises Unavailable, and InvalidRequest for a text that the model does not take: `field` is what the
    request calls the texts."""
    outcomes = score_pairs(spec, query, texts, deadline)
    ranked = [_ranked(index, outcome, field) for index, outcome in enumerate(outcomes)]
    return sorted(ranked, key=lambda one: -one.raw)


def _ranked(index: int, outcome: EmbedOutcome, field: str) -> Ranked:
    if outcome.error in INFRASTRUCTURE_ERRORS:
        raise Unavailable(outcome.error)
    if outcome.vector is None:
        raise InvalidRequest(outcome.error or "model_error", field=f"{field}[{index}]")
    return Ranked(index=index, raw=float(outcome.vector[0]), tokens=outcome.tokens, truncated=outcome.truncated)

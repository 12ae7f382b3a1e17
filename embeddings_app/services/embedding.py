"""Texts to vectors: cache first, then the gateway, each text with its own outcome."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from embedding_project.contracts.errors import InvalidRequest, Unavailable
from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS
from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.vectors import Vector, unit_length
from embeddings_app import registry
from embeddings_app.services.cached_vectors import cached_vectors
from embeddings_app.services.flights import Outcome
from embeddings_app.services.gateway import StreamKey, gateway
from embeddings_app.services.metrics import TEXTS
from embeddings_app.services.single_flight import single_flight

INFRASTRUCTURE_ERRORS = frozenset({"embedder_unavailable", "broker_unavailable", "model_unavailable"})
"""Outcomes that say nothing about the text: trying again can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    model_id: str | None
    texts: tuple[str, ...]
    """In normal form."""
    input_type: InputType
    normalize: bool | None
    """None leaves it to the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedOutcome:
    vector: Vector | None
    tokens: int
    truncated: bool
    cached: bool
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedResult:
    model: ModelSpec
    outcomes: tuple[EmbedOutcome, ...]


def embed(request: EmbedRequest) -> EmbedResult:
    """Embed the texts of a request with the active version. Raises ServiceError when no text can be embedded."""
    spec = registry.active_spec(request.model_id)
    if spec.type is ModelType.EXTERNAL:
        raise InvalidRequest("vector_required", f"model {spec.model_id!r} does not embed text", field="model_id")
    deadline = time.time() + EMBED_DEADLINE_SECONDS
    outcomes = embed_texts(spec, request.input_type, request.texts, Lane.INTERACTIVE, deadline)
    for outcome in outcomes:
        if outcome.error in INFRASTRUCTURE_ERRORS:
            raise Unavailable(outcome.error)
    normalize = spec.normalize if request.normalize is None else request.normalize
    return EmbedResult(model=spec, outcomes=tuple(_normalized(outcomes) if normalize else outcomes))


def embed_texts(
    spec: ModelSpec,
    input_type: InputType,
    texts: Sequence[str],
    lane: Lane,
    deadline: float,
    *,
    use_cache: bool = True,
) -> list[EmbedOutcome]:
    """One outcome per text, in order, by `deadline`; vectors as the model gave them."""
    keys = [cache_key(spec, input_type, text) for text in texts]
    # Equal texts of one request share a key: one look-up, one inference.
    first = {key: position for position, key in reversed(list(enumerate(keys)))}
    found = cached_vectors().find(spec, list(first)) if use_cache else {}
    prompt = spec.prompt(input_type)
    missing = [
        EmbedItem(cache_key=key, text=prompt + texts[position]) for key, position in first.items() if key not in found
    ]
    computed = _computed(StreamKey(spec, lane, use_cache), missing, deadline) if missing else []
    fresh = {item.cache_key: outcome for item, outcome in zip(missing, computed, strict=True)}
    TEXTS.labels(lane, "cached").inc(len(first) - len(fresh))
    for outcome in fresh.values():
        TEXTS.labels(lane, outcome if isinstance(outcome, str) else "embedded").inc()
    return [_outcome(fresh[key], cached=False) if key in fresh else _outcome(found[key], cached=True) for key in keys]


def _computed(key: StreamKey, missing: Sequence[EmbedItem], deadline: float) -> list[Outcome]:
    def compute(items: Sequence[EmbedItem]) -> list[Outcome]:
        return gateway().embed(key, items, deadline)

    if not key.use_cache:
        return compute(missing)
    return single_flight().embed(key.model, key.lane, missing, deadline, compute)


def _outcome(outcome: Outcome, *, cached: bool) -> EmbedOutcome:
    if isinstance(outcome, str):
        return EmbedOutcome(vector=None, tokens=0, truncated=False, cached=False, error=outcome)
    return EmbedOutcome(
        vector=outcome.vector, tokens=outcome.tokens, truncated=outcome.truncated, cached=cached, error=None
    )


def _normalized(outcomes: Sequence[EmbedOutcome]) -> list[EmbedOutcome]:
    """The outcomes with vectors of unit length, all computed in one go."""
    vectors = [outcome.vector for outcome in outcomes if outcome.vector is not None]
    rows = iter(unit_length(np.stack(vectors))) if vectors else iter(())
    return [outcome if outcome.vector is None else replace(outcome, vector=next(rows)) for outcome in outcomes]

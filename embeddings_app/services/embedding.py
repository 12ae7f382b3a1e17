"""Texts to vectors: cache first, then the gateway, each text with its own outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from embedding_project.config import load_config
from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import EmbeddedText, Vector
from embedding_project.redis_clients import cache_client
from embedding_project.tracing import span
from embedding_project.vector_cache import VectorCache
from embeddings_app.services.embed_admission import embed_admitted
from embeddings_app.services.flights import Outcome
from embeddings_app.services.gateway import StreamKey
from embeddings_app.services.metrics import CACHE_LOOKUPS, TEXTS

INFRASTRUCTURE_ERRORS = frozenset({"embedder_unavailable", "broker_unavailable", "model_unavailable"})
"""Outcomes that say nothing about the text: trying again can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedOutcome:
    vector: Vector | None
    tokens: int
    truncated: bool
    cached: bool
    error: str | None


@cache
def vector_cache() -> VectorCache:
    """The embedding cache as this process reaches it."""
    config = load_config()
    return VectorCache(cache_client(config.cache_url), config.cache_ttl_seconds)


def embed_texts(
    spec: ModelSpec,
    input_type: InputType,
    texts: Sequence[str],
    lane: Lane,
    deadline: float,
    *,
    use_cache: bool = True,
    reserve: bool = False,
) -> list[EmbedOutcome]:
    """One outcome per text, in order, by `deadline`; vectors as the model gave them.

    Raises Unavailable when interactive texts would wait too long; with `reserve` only when even more wait.
    """
    keys = [cache_key(spec, input_type, text) for text in texts]
    # Equal texts of one request share a key: one look-up, one inference.
    first = {key: position for position, key in reversed(list(enumerate(keys)))}
    found = _cached(spec, list(first)) if use_cache else {}
    prompt = spec.prompt(input_type)
    missing = [
        EmbedItem(cache_key=key, text=prompt + texts[position])
        for key, position in first.items()
        if found.get(key) is None
    ]
    stream = StreamKey(spec, lane, use_cache)
    computed = embed_admitted(stream, missing, deadline, reserve=reserve) if missing else []
    fresh = {item.cache_key: outcome for item, outcome in zip(missing, computed, strict=True)}
    TEXTS.labels(lane, "cached").inc(len(first) - len(fresh))
    for outcome in fresh.values():
        TEXTS.labels(lane, outcome if isinstance(outcome, str) else "embedded").inc()
    return [
        _outcome(fresh[key], cached=False) if key in fresh else _outcome(found[key] or "model_error", cached=True)
        for key in keys
    ]


def _cached(spec: ModelSpec, keys: Sequence[bytes]) -> dict[bytes, EmbeddedText | None]:
    with span("cache", texts=len(keys)):
        found = dict(zip(keys, vector_cache().get_many(keys, spec.dimension), strict=True))
    misses = sum(embedded is None for embedded in found.values())
    CACHE_LOOKUPS.labels(spec.model_id, "hit").inc(len(found) - misses)
    CACHE_LOOKUPS.labels(spec.model_id, "miss").inc(misses)
    return found


def _outcome(outcome: Outcome, *, cached: bool) -> EmbedOutcome:
    if isinstance(outcome, str):
        return EmbedOutcome(vector=None, tokens=0, truncated=False, cached=False, error=outcome)
    return EmbedOutcome(
        vector=outcome.vector, tokens=outcome.tokens, truncated=outcome.truncated, cached=cached, error=None
    )

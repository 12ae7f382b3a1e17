"""Token ids to vectors, as `embedding` does for texts: cache first, then the gateway."""

from collections.abc import Sequence

from embedding_project.contracts.keys import ids_cache_key
from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.services.embedding import EmbedOutcome, vector_cache
from embeddings_app.services.flights import Outcome
from embeddings_app.services.gateway import StreamKey, gateway


def embed_ids(spec: ModelSpec, ids: Sequence[bytes], deadline: float) -> list[EmbedOutcome]:
    """One outcome per list of packed ids, in order, by `deadline`. No prompt is put before them."""
    keys = [ids_cache_key(spec, packed) for packed in ids]
    items = {key: EmbedItem(cache_key=key, text="", ids=packed) for key, packed in zip(keys, ids, strict=True)}
    found = dict(zip(items, vector_cache().get_many(list(items), spec.dimension), strict=True))
    missing = [item for key, item in items.items() if found[key] is None]
    computed = gateway().embed(StreamKey(spec, Lane.INTERACTIVE, True), missing, deadline) if missing else []
    fresh = {item.cache_key: outcome for item, outcome in zip(missing, computed, strict=True)}
    return [_outcome(fresh.get(key) or found[key] or "model_error", cached=key not in fresh) for key in keys]


def _outcome(outcome: Outcome, *, cached: bool) -> EmbedOutcome:
    if isinstance(outcome, str):
        return EmbedOutcome(vector=None, tokens=0, truncated=False, cached=False, error=outcome)
    return EmbedOutcome(
        vector=outcome.vector, tokens=outcome.tokens, truncated=outcome.truncated, cached=cached, error=None
    )

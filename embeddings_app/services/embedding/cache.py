"""The embedding cache as the api and the indexer read it: this process's own copies first, then the shared one."""

from collections.abc import Sequence
from functools import cache

from embedding_project.broker.redis_clients import cache_client
from embedding_project.config import load_config
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import EmbeddedText
from embedding_project.observing.tracing import span
from embedding_project.vector_cache import VectorCache
from embeddings_app.services.embedding.local_cache import LocalVectors
from embeddings_app.services.embedding.metrics import CACHE_LOOKUPS, LOCAL_BYTES, LOCAL_ENTRIES

_MEGABYTE = 1024 * 1024


class CachedVectors:
    """The local tier holds only what was read from the shared one, so a forgotten key does not come in."""

    def __init__(self, local: LocalVectors, shared: VectorCache) -> None:
        self._local = local
        self.shared = shared

    def find(self, spec: ModelSpec, keys: Sequence[bytes]) -> dict[bytes, EmbeddedText]:
        """Those of `keys`, each given once, that are in the cache."""
        moment = self._local.moment
        found = self._local.get_many(keys)
        _count(spec, "hit", "local", len(found))
        rest = [key for key in keys if key not in found] if found else keys
        if not rest:
            return found
        with span("cache", texts=len(rest)):
            fetched = self.shared.get_many(rest, spec.dimension)
        read = {key: embedded for key, embedded in zip(rest, fetched, strict=True) if embedded is not None}
        _count(spec, "hit", "shared", len(read))
        _count(spec, "miss", "none", len(rest) - len(read))
        if read:
            self._local.put_many(spec.model_id, read, moment)
            held = self._local.held(spec.model_id)
            LOCAL_BYTES.labels(spec.model_id).set(held.size_bytes)
            LOCAL_ENTRIES.labels(spec.model_id).set(held.entries)
        return found | read

    def forget(self, keys: Sequence[bytes]) -> None:
        """Drop the entries, here at once and in other processes within five seconds."""
        self._local.forget(keys)
        self.shared.forget(keys)
        # A look-up that read the shared entry between the two must not bring it back.
        self._local.forget(keys)

    def clear(self) -> None:
        """Drop every entry. Raises RedisError."""
        self.shared.clear()
        self._local.clear()


def _count(spec: ModelSpec, outcome: str, tier: str, texts: int) -> None:
    if texts:
        CACHE_LOOKUPS.labels(spec.model_id, str(spec.version), outcome, tier).inc(texts)


@cache
def cached_vectors() -> CachedVectors:
    """The cache of this process."""
    config = load_config()
    shared = VectorCache(cache_client(config.cache_url), config.cache_ttl_seconds)
    return CachedVectors(LocalVectors(config.cache_local_mb * _MEGABYTE), shared)

"""What the api and the indexer count of texts and documents."""

from prometheus_client import Counter, Gauge

CACHE_LOOKUPS = Counter(
    "embed_cache_lookups", "Texts looked up in the embedding cache.", ["model", "version", "outcome", "tier"]
)
"""outcome: hit, miss; tier: local (this process's own copies), shared, none (a miss)"""
LOCAL_BYTES = Gauge("embed_local_cache_bytes", "Held by local tiers.", ["model"], multiprocess_mode="livesum")
LOCAL_ENTRIES = Gauge("embed_local_cache_entries", "Held by local tiers.", ["model"], multiprocess_mode="livesum")
SINGLE_FLIGHTS = Counter("embed_single_flights", "Texts that were in no cache, by who computed them.", ["model", "how"])
"""how: led, shared (waited for another request), taken_over (its leader died), alone (waited too long, or no cache)"""
TEXTS = Counter("embed_texts", "Texts to be embedded, equal ones of a request once.", ["lane", "outcome"])
"""outcome: cached, embedded, or an error code"""
UPSERTED = Counter("documents_upserted", "Documents in upserts that were committed.")
DELETED = Counter("documents_deleted", "Documents that a delete found and removed.")
EMBED_ADMISSIONS = Counter("embed_admissions", "Requests for texts that were not cached.", ["lane", "outcome"])
"""outcome: admitted, refused (would wait too long), no_embedder"""

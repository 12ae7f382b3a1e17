"""What the api and the indexer count of texts and documents."""

from prometheus_client import Counter

CACHE_LOOKUPS = Counter("embed_cache_lookups", "Texts looked up in the embedding cache.", ["model", "outcome"])
"""outcome: hit, miss"""
TEXTS = Counter("embed_texts", "Texts to be embedded, equal ones of a request once.", ["lane", "outcome"])
"""outcome: cached, embedded, or an error code"""
UPSERTED = Counter("documents_upserted", "Documents in upserts that were committed.")
DELETED = Counter("documents_deleted", "Documents that a delete found and removed.")
EMBED_ADMISSIONS = Counter("embed_admissions", "Requests for texts that were not cached.", ["lane", "outcome"])
"""outcome: admitted, refused (would wait too long), no_embedder"""

"""What other products call the fields of this API, for people who come from there."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

_LONGEST_NAME = 64
_ELSEWHERE: Mapping[str, Sequence[str]] = {
    "top_k": ("k", "n", "n_results", "topk", "limit", "size", "num_results", "max_results"),
    "limit": ("top_k", "k", "size", "page_size", "n"),
    "filters": ("filter", "where", "query_filter", "metadata_filter"),
    "namespace": ("collection", "collection_name", "index", "index_name", "class", "table"),
    "inputs": ("input", "texts", "text", "sentences", "documents"),
    "input": ("inputs", "texts", "text"),
    "query": ("q", "text", "query_text", "query_texts", "input", "inputs"),
    "vector": ("embedding", "query_vector", "query_embedding", "query_embeddings", "values", "dense"),
    "documents": ("points", "vectors", "items", "records", "upserts"),
    "metadata": ("payload", "meta", "metadatas", "properties", "attributes"),
    "text": ("document", "content", "page_content", "body"),
    "id": ("_id", "doc_id", "uuid", "key"),
    "ids": ("id", "points", "doc_ids"),
    "like": ("positive", "recommend", "near_object", "similar_to"),
    "unlike": ("negative",),
    "min_score": ("score_threshold", "threshold", "similarity_threshold", "min_certainty"),
    "ef_search": ("ef", "hnsw_ef", "num_candidates"),
    "cursor": ("next", "after", "offset", "page_token", "pagination_token"),
    "model_id": ("model", "model_name"),
    "model": ("model_id",),
    "wait": ("refresh", "sync"),
    "set": ("metadata", "payload", "set_metadata", "set_payload"),
    "all": ("delete_all", "deleteAll"),
}
"""Field of this API -> what other products call it."""


def known_fields(name: str, declared: Collection[str]) -> str:
    """What to say to somebody who sent a field that there is not."""
    if not declared:
        return "this request has no fields"
    known = f"the known fields are {', '.join(sorted(declared))}"
    meant = [field for field in declared if name.lower() in _ELSEWHERE.get(field, ())]
    meant = meant or get_close_matches(name[:_LONGEST_NAME], declared, n=1, cutoff=0.75)
    return f"did you mean {meant[0]}? {known}" if meant else known

"""Searches of clients that are kept to measure model versions with, and documents that stand in for them.

What a client asked is its own: few searches are kept, for some days, and none of a namespace without documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from embeddings_app.models import SearchSample
from embeddings_app.records.bulk_blocks import keys_at
from embeddings_app.records.sql import execute, row, rows

KEPT_SAMPLES = 1_000
"""Of each model; older ones go."""
KEPT_DAYS = 7
_OVERSAMPLED = 3
"""So many places are looked at for each document wanted: some are met twice, some hold a deleted document."""
_ROUNDS = 10
"""More than it takes to come from all keys there can be to a single one."""
_Range = tuple[int, int]
"""The first key of it, and the first one behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSearch:
    """One search as a client asked it."""

    model_id: str
    namespace_key: int
    text: str
    """Empty where the client sent a vector."""
    vector: bytes | None
    version_key: int | None
    """The version of `vector`."""
    top_k: int
    filter: str
    """Canonical JSON, empty for none."""
    ef_search: int | None
    """None for auto."""


@dataclass(frozen=True, slots=True)
class StoredText:
    document_key: int
    namespace_key: int
    text: str
    """Empty where the namespace keeps no texts."""


def keep_sample(search: LiveSearch) -> None:
    """Keep the search, and let go of the oldest of its model."""
    SearchSample.objects.create(
        model_id=search.model_id,
        namespace_id=search.namespace_key,
        text=search.text,
        vector=search.vector,
        model_version_id=search.version_key,
        top_k=search.top_k,
        filter=search.filter,
        ef_search=search.ef_search,
    )
    execute(
        """
        DELETE FROM search_sample WHERE model_id = %s AND id <= (
            SELECT id FROM search_sample WHERE model_id = %s ORDER BY id DESC OFFSET %s LIMIT 1)
        """,
        [search.model_id, search.model_id, KEPT_SAMPLES],
    )


def newest_samples(model_id: str, limit: int, *, vectors_of: int | None = None) -> list[LiveSearch]:
    """The newest different searches of a model: those by text, and those by vectors of one version."""
    found = rows(
        """
        SELECT namespace_id, text, vector, model_version_id, top_k, filter, ef_search FROM (
            SELECT DISTINCT ON (namespace_id, text, vector, filter) * FROM search_sample
            WHERE model_id = %s AND taken_at > now() - make_interval(days => %s)
              AND (vector IS NULL OR model_version_id = %s)
            ORDER BY namespace_id, text, vector, filter, id DESC
        ) AS different ORDER BY id DESC LIMIT %s
        """,
        [model_id, KEPT_DAYS, vectors_of, limit],
    )
    return [
        LiveSearch(
            model_id=model_id,
            namespace_key=namespace_key,
            text=text,
            vector=None if vector is None else bytes(vector),
            version_key=version_key,
            top_k=top_k,
            filter=filter_,
            ef_search=ef_search,
        )
        for namespace_key, text, vector, version_key, top_k, filter_, ef_search in found
    ]


def prune_samples() -> int:
    """Delete samples that are too old, and those of namespaces that have no document any more; gives their number."""
    return execute(
        """
        WITH emptied AS (
            SELECT namespace_id FROM (SELECT DISTINCT namespace_id FROM search_sample) AS sampled
            WHERE NOT EXISTS (
                SELECT 1 FROM document d WHERE d.namespace_id = sampled.namespace_id AND NOT d.deleted)
        )
        DELETE FROM search_sample WHERE taken_at < now() - make_interval(days => %s)
           OR namespace_id IN (SELECT namespace_id FROM emptied)
        """,
        [KEPT_DAYS],
    )


def spread_documents(version_key: int, limit: int) -> list[StoredText]:
    """Up to `limit` documents that have a vector of the version, from evenly spread places.

    Keys have gaps, so many places may have no document. Then the next round divides what lies behind the documents that
    were met, and leaves out where none was: whatever the gaps are, few rounds find enough.
    """
    # The partition of a version holds no documents of other models, so each look ends at the next row.
    bounds = "SELECT min(document_id), max(document_id) FROM embedding_vector WHERE model_version_id = %s"
    first, last = row(bounds, [version_key])
    if first is None:
        return []
    places = limit * _OVERSAMPLED
    keys = keys_at([place / places for place in range(places)], first, last)
    ranges = [(key, before) for key, before in pairwise([*keys, last + 1]) if key < before]
    found: dict[int, StoredText] = {}
    for _ in range(_ROUNDS):
        met = _first_of_each(version_key, ranges)
        found |= {text.document_key: text for text, _, deleted in met if not deleted}
        behind = [(text.document_key + 1, before) for text, before, _ in met if text.document_key + 1 < before]
        if len(found) >= limit or not behind:
            break
        ranges = _divided(behind, places)
    # Evenly again: the first ones alone would all be of the oldest documents.
    step = max(1, len(found) / limit)
    spread = sorted(found)
    return [found[spread[int(place * step)]] for place in range(min(limit, len(spread)))]


def _first_of_each(version_key: int, ranges: Sequence[_Range]) -> list[tuple[StoredText, int, bool]]:
    """The first document of each range that has one, the end of the range, and whether the document is deleted."""
    met = rows(
        """
        SELECT d.id, d.namespace_id, CASE WHEN d.deleted THEN '' ELSE d.text END, look.before, d.deleted
        FROM unnest(%s::bigint[], %s::bigint[]) AS look(key, before) CROSS JOIN LATERAL (
            SELECT document_id FROM embedding_vector
            WHERE model_version_id = %s AND document_id >= look.key AND document_id < look.before
            ORDER BY document_id LIMIT 1
        ) AS met JOIN document d ON d.id = met.document_id
        """,
        [[key for key, _ in ranges], [before for _, before in ranges], version_key],
    )
    return [(StoredText(*stored), before, deleted) for *stored, before, deleted in met]


def _divided(ranges: Sequence[_Range], places: int) -> list[_Range]:
    """The ranges in so many parts that there are about `places`."""
    each = max(1, places // len(ranges))
    cuts = [[first + (before - first) * part // each for part in range(each + 1)] for first, before in ranges]
    return [(key, before) for keys in cuts for key, before in pairwise(keys) if key < before]

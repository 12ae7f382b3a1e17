"""The bugs: for each the modules it changes, and how. The product is not imported here: that would be too early."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from time import monotonic, sleep
from typing import Any

from passing_bugs import PASSING_BUGS
from planted_change import put

Change = Callable[[Any], None]
_LIVING = (
    "SELECT id, revision, shard_hash FROM document WHERE id = ANY(%s) AND NOT deleted "
    "ORDER BY namespace_id, doc_id FOR NO KEY UPDATE"
)


def _skip_log_rows(feed: Any) -> None:
    """A replica counts every seventh entry of the log without applying it."""
    read_changes = feed.read_changes

    def skipping(*arguments: Any) -> Any:
        changes = read_changes(*arguments)
        kept = next((state for seq, state in changes if seq % 7), None)
        return [(seq, state if seq % 7 or kept is None else kept) for seq, state in changes]

    put(feed, "read_changes", skipping)


def _forget_text_revisions(embeddings: Any) -> None:
    """A vector is written whatever text the document has by now."""

    def lock_embedded(claims: Any) -> Any:
        found = embeddings.rows(_LIVING, [[claim.document_key for claim in claims]])
        return {row[0]: embeddings.ChangedDocument(*row) for row in found}

    put(embeddings, "lock_embedded", lock_embedded)


def _delete_without_log(deleting: Any) -> None:
    """Deletes reach Postgres and the cache, and no index."""

    class Silent:
        ChangedDocument = deleting.changes.ChangedDocument

        @staticmethod
        def append_changes(*_: Any) -> None: ...

    put(deleting, "changes", Silent)


def _show_unverified(reading: Any) -> None:
    """Hits are made whole without a look at whether they still hold."""

    def hydrate(version_key: int, document_keys: Any, **_: Any) -> Any:
        found = reading.rows(
            "SELECT d.id, d.namespace_id, d.doc_id, coalesce(r.text_revision, d.text_revision), d.text_revision, "
            "d.metadata::text, d.text FROM document d "
            "LEFT JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = %s "
            "WHERE d.id = ANY(%s)",
            [version_key, list(document_keys)],
        )
        return {
            key: reading.HitRow(space, doc_id, stored, current, reading.stored_metadata(metadata), text)
            for key, space, doc_id, stored, current, metadata, text in found
        }

    put(reading, "hydrate", hydrate)


def _never_partial(searching: Any) -> None:
    """An answer claims to be whole, whatever shard was silent."""
    search = searching.search

    def whole(request: Any) -> Any:
        result = search(request)
        return replace(result, shards_failed=())

    put(searching, "search", whole)


def _sweep_finds_nothing(claims: Any) -> None:
    """Work whose hint was lost is found by nobody."""
    put(claims, "any_due", lambda *_: False)


def _ignore_tokens(searching: Any) -> None:
    """A search with a token does not wait for it."""
    put(searching, "_wait_for_tokens", lambda *_: None)


def _search_all_namespaces(version_index: Any) -> None:
    """The index searches whatever namespace comes first."""
    search = version_index.VersionIndex.search

    def anywhere(self: Any, namespace_key: int, *asked: Any) -> Any:
        return search(self, min(self._collections, default=namespace_key), *asked)

    put(version_index.VersionIndex, "search", anywhere)


def _hydrate_all_namespaces(hydration: Any) -> None:
    """And hydration does not ask which namespace a hit is of."""
    holds = hydration._holds
    put(hydration, "_holds", lambda hit, row, shown: holds(hit, row, replace(shown, namespace_key=row.namespace_key)))


def _keep_old_rows(collection: Any) -> None:
    """An update leaves the old vector of the document in the index."""
    replace_vector = collection.Collection._replace_vector

    def keeping(self: Any, slot: int, document_key: int, vector: Any, text_revision: int, now: float) -> None:
        if self._slots.stamps[slot] >= 0:
            rows = self._by_serial[int(self._slots.segments[slot])].rows
            rows.text_revisions[int(self._slots.rows[slot])] = text_revision
        self._slots.stamps[slot] = -1
        replace_vector(self, slot, document_key, vector, text_revision, now)

    put(collection.Collection, "_replace_vector", keeping)


def _acknowledge_before_flush(settings: Any) -> None:
    """Postgres acknowledges what is not on disk yet."""
    settings.DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"


def _lock_nothing(documents: Any) -> None:
    """Two writers of one document read the same revision, and both write the next."""

    def lock_documents(namespace_key: int, doc_ids: Any) -> Any:
        found = documents.rows(
            "SELECT doc_id, id, content_hash, metadata::text, revision, text_revision, deleted, shard_hash, "
            "expires_at, coalesce(expires_at <= now(), false) "
            "FROM document WHERE namespace_id = %s AND doc_id = ANY(%s)",
            [namespace_key, list(doc_ids)],
        )
        return {
            doc_id: documents.LockedDocument(key, bytes(hashed), documents.stored_metadata(metadata), *rest)
            for doc_id, key, hashed, metadata, *rest in found
        }

    put(documents, "lock_documents", lock_documents)


def _keep_reads(reading: Any) -> None:
    """A process answers reads of a document from what it read within two seconds before."""
    read_document = reading.read_document
    kept: dict[Any, Any] = {}

    def remembering(namespace: str, doc_id: str, include_vector: bool) -> Any:
        at, view = kept.get((namespace, doc_id), (0.0, None))
        if view is None or monotonic() - at > 2:
            view = read_document(namespace, doc_id, include_vector)
            kept[namespace, doc_id] = monotonic(), view
        return view

    put(reading, "read_document", remembering)


def _mangle_values(columns: Any, mangle: Callable[[Any], Any]) -> None:
    set_row = columns.Columns.set_row

    def mangling(self: Any, slot: int, flat: Any) -> None:
        set_row(self, slot, {path: mangle(value) for path, value in flat.items()})

    put(columns.Columns, "set_row", mangling)


def _round_numbers(columns: Any) -> None:
    """The index keeps twelve digits of a number."""
    _mangle_values(columns, lambda value: float(f"{value:.12g}") if isinstance(value, float) else value)


def _fold_words(columns: Any) -> None:
    """The index does not tell ss from sharp s, nor capitals from small letters."""
    _mangle_values(columns, lambda value: value.casefold() if isinstance(value, str) else value)


def _mix_embeddings(compute: Any) -> None:
    """Texts that are computed together get the vectors of each other."""
    encode_each = compute.encode_each
    put(compute, "encode_each", lambda *asked: encode_each(*asked)[::-1])


def _write_active_version_alone(upserting: Any) -> None:
    """An upsert marks the version that answers, and none that is filled or kept."""
    registry = upserting.registry

    class OnlyActive:
        active_spec = staticmethod(registry.active_spec)

        @staticmethod
        def live_specs(model_id: str) -> Any:
            active = registry.active_spec(model_id).version_key
            return [spec for spec in registry.live_specs(model_id) if spec.version_key == active]

    put(upserting, "registry", OnlyActive)


def _write_chunks_late(chunks: Any) -> None:
    """A chunk writes a second later, whatever text the document has by then."""
    write_embedded = chunks.write_embedded
    embeddings = chunks.embeddings
    lock_embedded = embeddings.lock_embedded
    of_chunk = threading.local()

    def lock_any(texts: Any) -> Any:
        if not getattr(of_chunk, "writes", False):
            return lock_embedded(texts)
        found = embeddings.rows(_LIVING, [[text.document_key for text in texts]])
        return {row[0]: embeddings.ChangedDocument(*row) for row in found}

    def write_late(*arguments: Any) -> Any:
        sleep(1)
        of_chunk.writes = True
        try:
            return write_embedded(*arguments)
        finally:
            of_chunk.writes = False

    put(embeddings, "lock_embedded", lock_any)
    put(chunks, "write_embedded", write_late)


def _search_other_versions(searching: Any) -> None:
    """Every fifth search goes to the index of another version than its vector is of."""
    vector_query = searching._vector_query
    numbers = count()

    def mixed(request: Any, spec: Any, *more: Any) -> Any:
        query = vector_query(request, spec, *more)
        live = [other.version_key for other in searching.registry.live_specs(spec.model_id)]
        others = [key for key in live if key != spec.version_key]
        return replace(query, version_key=others[0]) if others and next(numbers) % 5 == 0 else query

    put(searching, "_vector_query", mixed)


BUGS: Mapping[str, Mapping[str, Change]] = {
    "log-rows-skipped": {"index_nodes.log_reader": _skip_log_rows},
    "text-revision-ignored": {"embeddings_app.records.embeddings": _forget_text_revisions},
    "delete-not-logged": {"embeddings_app.services.documents.deleting": _delete_without_log},
    "hits-not-verified": {"embeddings_app.records.reading": _show_unverified},
    "partial-never-said": {"embeddings_app.services.search.searching": _never_partial},
    "sweep-finds-nothing": {"embeddings_app.records.claims": _sweep_finds_nothing},
    "token-ignored": {"embeddings_app.services.search.searching": _ignore_tokens},
    "namespaces-mixed": {
        "index_nodes.version_index": _search_all_namespaces,
        "embeddings_app.services.search.hydration": _hydrate_all_namespaces,
    },
    "old-rows-kept": {"index_nodes.collection": _keep_old_rows},
    "acknowledged-before-flush": {"embedding_project.settings": _acknowledge_before_flush},
    "writers-not-locked": {"embeddings_app.records.documents": _lock_nothing},
    "reads-remembered": {"embeddings_app.services.documents.reading": _keep_reads},
    "numbers-rounded": {"index_nodes.columns": _round_numbers},
    "words-folded": {"index_nodes.columns": _fold_words},
    "embeddings-mixed": {"workers.compute": _mix_embeddings},
    "dual-write-forgotten": {"embeddings_app.services.documents.upserting": _write_active_version_alone},
    "late-chunk-overwrites": {"embeddings_app.services.reembedding.chunks": _write_chunks_late},
    "versions-mixed": {"embeddings_app.services.search.searching": _search_other_versions},
    **PASSING_BUGS,
}

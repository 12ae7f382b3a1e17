"""Embedded texts become vectors and entries of the log, in one transaction that lets nothing older win."""

from collections.abc import Sequence

from embedding_project.contracts.keys import content_hash
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import to_bytes, unit_length
from embeddings_app.records import changes, documents, embeddings, model_locks
from embeddings_app.records.embeddings import FinishedVector, ReadText
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.registry import is_live
from embeddings_app.services.embedding.embed import EmbedOutcome


def write_embedded(spec: ModelSpec, done: Sequence[tuple[ReadText, EmbedOutcome]]) -> int:
    """Store the vectors of the texts that are still the documents' own; how many. Nothing for a version that ended."""
    return in_transaction(lambda: _write(spec, done))


def _write(spec: ModelSpec, done: Sequence[tuple[ReadText, EmbedOutcome]]) -> int:
    """1. hold off steps of the version  2. lock the documents that still hold the embedded text  3. their vectors
    4. the log, counters last."""
    model_locks.lock_shared(spec.model_id)
    if not is_live(spec.version_key):
        return 0
    locked = embeddings.lock_embedded([text for text, _ in done])
    finished = [
        FinishedVector(
            text.document_key, text.text_revision, to_bytes(unit_length(outcome.vector)), content_hash(text.text)
        )
        for text, outcome in done
        if text.document_key in locked and outcome.vector is not None
    ]
    if not finished:
        return 0
    embeddings.write_vectors(spec.version_key, finished)
    documents.drop_unneeded_texts([item.document_key for item in finished])
    entries = [locked[item.document_key] for item in finished]
    changes.append_changes(writable_layouts(), [spec.version_key], entries)
    return len(finished)

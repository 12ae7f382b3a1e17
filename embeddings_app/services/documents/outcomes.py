"""What an upsert answers: how far each document has come, as far as the client wants to wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.keys import shard_of
from embeddings_app.models import RecordState
from embeddings_app.records.documents import StoredDocument
from embeddings_app.records.reading import record_states
from embeddings_app.records.topology import heads
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.waiting import applied_everywhere, wait_until_applied, wait_until_embedded
from embeddings_app.services.topology import topology

_DELETED = "deleted"


class Wait(StrEnum):
    """How far a write must have come before it is answered."""

    ACCEPTED = "accepted"
    """Durable."""
    INDEXED = "indexed"
    """Embedded, and in the log of its shard."""
    SEARCHABLE = "searchable"
    """Applied by every replica that answers searches."""


@dataclass(frozen=True, slots=True)
class RefusedDocument:
    """A document of a request that was not written; the others were."""

    doc_id: str | None
    """None when the fault is in the id."""
    error: InvalidRequest


@dataclass(frozen=True, slots=True)
class DocumentResult:
    doc_id: str
    revision: int
    state: str
    """pending, indexed, searchable, quarantined, or deleted (by another request, after this one wrote it)."""
    unchanged: bool = False
    """The document was as it was to be already."""


@dataclass(frozen=True, slots=True)
class UpsertResult:
    results: tuple[DocumentResult | RefusedDocument, ...]
    """In the order of the request."""
    token: str | None
    """Position from which all of it can be searched; None until it is indexed."""


def outcomes_of(
    outcomes: Sequence[StoredDocument | RefusedDocument], wait: Wait, version_key: int, deadline: float
) -> UpsertResult:
    """Wait until the documents have come as far as `wait` says, or the deadline; how far each has come."""
    stored = [item for item in outcomes if isinstance(item, StoredDocument)]
    keys = [item.key for item in stored]
    if wait is Wait.ACCEPTED:
        states = record_states(version_key, keys)
    else:
        states = wait_until_embedded(version_key, keys, deadline)
    token, ready = None, "indexed"
    if RecordState.PENDING not in states.values():
        current = topology()
        shards = {shard_of(item.content.shard_hash, current.shards) for item in stored}
        seqs = heads(current.layout, version_key, shards)
        position = positions.Position(current.epoch, current.layout, version_key, seqs)
        token = positions.encode(position)
        if wait is Wait.SEARCHABLE:
            searchable = wait_until_applied(position, current, deadline)
        else:
            searchable = applied_everywhere(position, current)
        ready = "searchable" if searchable else ready
    # A document without a record was deleted since it was written.
    told = {**dict.fromkeys(keys, _DELETED), **states}
    told = {key: ready if state == RecordState.READY else state for key, state in told.items()}
    return UpsertResult(
        tuple(
            DocumentResult(item.content.doc_id, item.revision, told[item.key], unchanged=not item.changed)
            if isinstance(item, StoredDocument)
            else item
            for item in outcomes
        ),
        token,
    )

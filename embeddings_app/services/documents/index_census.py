"""Counts of documents by the columns of index nodes: milliseconds where a walk through Postgres takes seconds.

The count is exact for all that was acknowledged before it began. Each shard counts at the position that its log had,
or later, and leaves out the documents about which the index knows too little; these come from Postgres, of the same
moment. A shard that cannot answer soon makes the whole count void, and the caller walks.
"""

import time
import uuid
from collections import Counter
from collections.abc import Sequence

import numpy as np

from embedding_project.broker.dispatch import census_messages
from embedding_project.contracts.census import Census, CensusQuestion, Value, scalars_of
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.filters import Filter, matches, to_wire
from embedding_project.contracts.metadata import flatten
from embedding_project.threads.waiter import on_the_wall
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records.census_basis import CensusBasis, OtherDocument, read_basis
from embeddings_app.services.documents.census_link import new_link
from embeddings_app.services.topology import topology

PATIENCE_SECONDS = 0.5


def index_census(space: Namespace, filter_: Filter | None, path: str, until: float) -> Census | None:
    """The documents of the namespace that pass, and their values at the dotted path `path` unless it is empty; None
    when the index cannot tell. `until`: monotonic seconds."""
    try:
        version_key = registry.active_spec(space.model_id).version_key
        current = topology()
        basis = read_basis(space.pk, version_key, current.layout)
        if basis is None or basis.epoch != current.epoch or len(basis.heads) != current.shards:
            return None
        link, deadline = new_link(), min(until, time.monotonic() + PATIENCE_SECONDS)
        question = CensusQuestion(
            question_id=uuid.uuid4().hex,
            inbox=link.inbox,
            epoch=basis.epoch,
            deadline=on_the_wall(deadline),
            version_key=version_key,
            namespace_key=space.pk,
            filter="" if filter_ is None else to_wire(filter_),
            path=path,
            positions=dict(basis.heads),
            others=np.array([other.key for other in basis.others], np.int64),
        )
        parts = link.ask(census_messages(current.layout, question), deadline)
    except ServiceError:
        # Without a broker, or with a version that has just gone, Postgres still knows.
        return None
    return _together(parts, basis, filter_, path) if parts else None


def _together(parts: Sequence[Census], basis: CensusBasis, filter_: Filter | None, path: str) -> Census:
    shown = [flatten(other.metadata) for other in basis.others if _passes(other, filter_)]
    values: Counter[tuple[str, Value]] = Counter()
    for part in parts:
        values.update(part.values)
    for flat in shown if path else ():
        values.update(scalars_of(flat.get(path)))
    return Census(count=sum(part.count for part in parts) + len(shown), values=dict(values))


def _passes(other: OtherDocument, filter_: Filter | None) -> bool:
    return other.is_shown and (filter_ is None or matches(filter_, flatten(other.metadata)))

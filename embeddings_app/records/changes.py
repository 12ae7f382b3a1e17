"""The change log: sequence numbers without gaps, in commit order.

The counter row of a log is locked from the numbering until the commit, so it must be the last lock a transaction takes,
and logs are taken in sorted order.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embedding_project.contracts.keys import shard_of
from embeddings_app.models import Layout
from embeddings_app.records.sql import execute


class MissingCounter(Exception):
    """The log of a live version has no counter, though activation makes them all: no try mends that."""


@dataclass(frozen=True, slots=True)
class ChangedDocument:
    """A document whose row is locked, with the revision that goes into the log."""

    document_key: int
    revision: int
    shard_hash: int


def append_changes(layouts: Sequence[Layout], version_keys: Iterable[int], changed: Sequence[ChangedDocument]) -> None:
    """Write the documents into the log of their shard under every layout and version."""
    if not changed:
        return
    versions = sorted(version_keys)
    logs: dict[tuple[int, int, int], list[ChangedDocument]] = defaultdict(list)
    for layout in layouts:
        for document in changed:
            shard = shard_of(document.shard_hash, layout.shards)
            for version_key in versions:
                logs[layout.pk, version_key, shard].append(document)
    for log in sorted(logs):
        _append(*log, logs[log])


def _append(layout: int, version_key: int, shard: int, changed: list[ChangedDocument]) -> None:
    numbered = execute(
        """
        WITH counter AS (
            UPDATE shard_counter SET head = head + %(count)s
            WHERE layout_id = %(layout)s AND model_version_id = %(version)s AND shard = %(shard)s
            RETURNING head - %(count)s AS before
        )
        INSERT INTO shard_change (layout_id, model_version_id, shard, seq, kind, document_id, revision)
        SELECT %(layout)s, %(version)s, %(shard)s, counter.before + d.place, 'document', d.id, d.revision
        FROM counter, unnest(%(ids)s::bigint[], %(revisions)s::int[]) WITH ORDINALITY AS d(id, revision, place)
        """,
        {
            "layout": layout,
            "version": version_key,
            "shard": shard,
            "count": len(changed),
            "ids": [document.document_key for document in changed],
            "revisions": [document.revision for document in changed],
        },
    )
    if numbered != len(changed):
        raise MissingCounter(f"log of layout {layout}, version {version_key}, shard {shard} has no counter")

"""The change log: sequence numbers without gaps, in commit order.

The counter row of a log is locked from the numbering until the commit, so it must be the last lock a transaction takes,
and logs are taken in sorted order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from embedding_project.contracts.keys import shard_of
from embeddings_app.models import Layout
from embeddings_app.records.sql import execute, rows


class MissingCounter(Exception):
    """The log of a live version has no counter, though activation makes them all: no try mends that."""


@dataclass(frozen=True, slots=True)
class ChangedDocument:
    """A document whose row is locked, with the revision that goes into the log."""

    document_key: int
    revision: int
    shard_hash: int


LogKey = tuple[int, int, int]
"""Layout, version and shard."""


def append_changes(
    layouts: Sequence[Layout],
    version_keys: Iterable[int],
    changed: Sequence[ChangedDocument],
    segments: Mapping[LogKey, Mapping[str, Any]] | None = None,
) -> dict[LogKey, int]:
    """Write the documents into the log of their shard under every layout and version, behind the `segments`, of which a
    log has one at most; gives the numbers of these."""
    if not changed and not segments:
        return {}
    versions = sorted(version_keys)
    logs: dict[LogKey, list[ChangedDocument]] = defaultdict(list)
    logs |= {log: [] for log in segments or ()}
    for layout in layouts:
        for document in changed:
            shard = shard_of(document.shard_hash, layout.shards)
            for version_key in versions:
                logs[layout.pk, version_key, shard].append(document)
    seqs: dict[LogKey, int] = {}
    for log in sorted(logs):
        if segments and log in segments:
            seqs[log] = _append_segment(*log, segments[log])
        if logs[log]:
            _append(*log, logs[log])
    return seqs


def _append_segment(layout: int, version_key: int, shard: int, segment: Mapping[str, Any]) -> int:
    numbered = rows(
        """
        WITH counter AS (
            UPDATE shard_counter SET head = head + 1
            WHERE layout_id = %(layout)s AND model_version_id = %(version)s AND shard = %(shard)s
            RETURNING head
        )
        INSERT INTO shard_change (layout_id, model_version_id, shard, seq, kind, segment)
        SELECT %(layout)s, %(version)s, %(shard)s, counter.head, 'segment', %(segment)s FROM counter RETURNING seq
        """,
        {"layout": layout, "version": version_key, "shard": shard, "segment": Jsonb(dict(segment))},
    )
    if not numbered:
        raise _missing(layout, version_key, shard)
    return int(numbered[0][0])


def _missing(layout: int, version_key: int, shard: int) -> MissingCounter:
    return MissingCounter(f"log of layout {layout}, version {version_key}, shard {shard} has no counter")


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
        raise _missing(layout, version_key, shard)

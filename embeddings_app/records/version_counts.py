"""How much there is of a model and of its versions, for people: counted up to a limit, estimated beyond."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embeddings_app.records.operations import COUNT_CAP
from embeddings_app.records.sql import row, rows
from embeddings_app.records.vector_partitions import vector_partition


@dataclass(frozen=True, slots=True)
class Count:
    """Rows, counted up to COUNT_CAP, beyond that estimated; `estimated` is None where statistics know nothing."""

    counted: int
    estimated: int | None = None

    @property
    def number(self) -> int:
        """The best there is; too small when nothing but the limit is known."""
        return self.counted if self.counted <= COUNT_CAP else max(self.counted, self.estimated or 0)

    def __str__(self) -> str:
        if self.counted <= COUNT_CAP:
            return f"{self.counted:,}"
        return f"more than {COUNT_CAP:,}" if self.estimated is None else f"about {self.number:,}"


def count_vectors(version_keys: Sequence[int]) -> Mapping[int, Count]:
    """Version key -> vectors that it holds."""
    found = rows(
        """
        SELECT v.id, (SELECT count(*) FROM (SELECT 1 FROM embedding_vector e
                                            WHERE e.model_version_id = v.id LIMIT %s) AS capped),
               (SELECT nullif(c.reltuples, -1)::bigint FROM pg_class c WHERE c.oid = to_regclass(v.name))
        FROM unnest(%s::bigint[], %s::text[]) AS v(id, name)
        """,
        [COUNT_CAP + 1, list(version_keys), [vector_partition(key) for key in version_keys]],
    )
    return {key: Count(counted, estimated) for key, counted, estimated in found}


def count_documents(model_ids: Sequence[str]) -> Mapping[str, Count]:
    """Model id -> live documents in all its namespaces. Estimates count deleted ones too, for a while."""
    found = rows(
        """
        SELECT m.model_id,
               (SELECT count(*) FROM (SELECT 1 FROM namespace n JOIN document d ON d.namespace_id = n.id
                                      WHERE n.model_id = m.model_id AND NOT d.deleted LIMIT %s) AS capped)
        FROM unnest(%s::text[]) AS m(model_id)
        """,
        [COUNT_CAP + 1, list(set(model_ids))],
    )
    return {
        model_id: Count(counted, _estimated_documents(model_id) if counted > COUNT_CAP else None)
        for model_id, counted in found
    }


def _estimated_documents(model_id: str) -> int | None:
    """From the share that its namespaces have in the sample of Postgres; a namespace too small for it is left out."""
    (found,) = row(
        """
        SELECT sum(common.share * c.reltuples)::bigint
        FROM pg_stats s
        JOIN pg_class c ON c.oid = 'document'::regclass AND c.relname = s.tablename,
        unnest(s.most_common_vals::text::bigint[], s.most_common_freqs) AS common(namespace_id, share)
        JOIN namespace n ON n.id = common.namespace_id
        WHERE s.schemaname = current_schema() AND s.tablename = 'document' AND s.attname = 'namespace_id'
          AND n.model_id = %s
        """,
        [model_id],
    )
    return found if found is None else int(found)


def partition_bytes(version_key: int) -> int:
    """What the vectors of a version take on the disk of Postgres, their indexes included; 0 without a partition."""
    (size,) = row("SELECT coalesce(pg_total_relation_size(to_regclass(%s)), 0)", [vector_partition(version_key)])
    return int(size)

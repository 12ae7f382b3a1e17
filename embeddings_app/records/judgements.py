"""Queries of a namespace for which people said which documents are relevant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from embeddings_app.models import JudgedQuery, Judgement
from embeddings_app.records.sql import row, rows

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Judged:
    """One query with its judgements."""

    key: int
    namespace_key: int
    text: str
    relevance: Mapping[str, int]
    """Document id -> how relevant; 0 is not at all."""


def replace_judgements(
    namespace_key: int, texts: Mapping[str, str], relevance: Mapping[str, Mapping[str, int]]
) -> None:
    """Let these be the judgements of the namespace. Both map from the id of a query, the same ones."""
    with transaction.atomic():
        JudgedQuery.objects.filter(namespace=namespace_key).delete()
        queries = JudgedQuery.objects.bulk_create(
            [JudgedQuery(namespace_id=namespace_key, query_id=name, text=text) for name, text in texts.items()],
            batch_size=_BATCH,
        )
        Judgement.objects.bulk_create(
            [
                Judgement(query=query, doc_id=doc_id, relevance=grade)
                for query in queries
                for doc_id, grade in relevance[query.query_id].items()
            ],
            batch_size=_BATCH,
        )


def judged_queries(namespace_key: int, limit: int | None = None) -> list[Judged]:
    """Those of the namespace; with `limit` always the same of them, by no order of their ids."""
    found = rows(
        """
        SELECT q.id, q.text, array_agg(j.doc_id), array_agg(j.relevance)
        FROM (SELECT id, text FROM judged_query WHERE namespace_id = %s ORDER BY md5(query_id), id LIMIT %s) AS q
        JOIN judgement j ON j.query_id = q.id GROUP BY q.id, q.text ORDER BY q.id
        """,
        [namespace_key, limit],
    )
    return [Judged(key, namespace_key, text, dict(zip(ids, grades, strict=True))) for key, text, ids, grades in found]


def judged_namespaces(model_id: str) -> list[int]:
    """Keys of the namespaces of a model that have judgements."""
    found = rows(
        """
        SELECT id FROM namespace n WHERE model_id = %s
           AND EXISTS (SELECT 1 FROM judged_query q WHERE q.namespace_id = n.id) ORDER BY id
        """,
        [model_id],
    )
    return [key for (key,) in found]


def count_documents(namespace_key: int, doc_ids: Sequence[str]) -> int:
    """How many of the ids are documents of the namespace."""
    (count,) = row(
        "SELECT count(*) FROM document WHERE namespace_id = %s AND doc_id = ANY(%s) AND NOT deleted",
        [namespace_key, list(doc_ids)],
    )
    return int(count)

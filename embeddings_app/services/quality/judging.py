"""Judgements kept for a namespace, and versions judged by them on demand."""

import time
from dataclasses import dataclass

from embedding_project.contracts.errors import ServiceError
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records.judgements import count_documents, judged_queries, replace_judgements
from embeddings_app.services import namespaces
from embeddings_app.services.quality.judged import mean_ndcg, rankings
from embeddings_app.services.quality.judgement_files import Judgements


@dataclass(frozen=True, slots=True)
class Kept:
    queries: int
    judgements: int
    documents: int
    """Different ones that are judged."""
    missing: int
    """Of these, not in the namespace now: nothing can find them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionScore:
    version: str
    """For people."""
    ndcg: float | None
    """None when no query was answered."""
    answered: int
    queries: int


def keep_judgements(namespace: str, judgements: Judgements) -> Kept:
    """Let these be the judgements of the namespace, in place of those before. Raises unknown_namespace."""
    space = namespaces.namespace(namespace)
    replace_judgements(space.pk, judgements.texts, judgements.relevance)
    judged = {doc_id for grades in judgements.relevance.values() for doc_id in grades}
    return Kept(
        queries=len(judgements.texts),
        judgements=sum(len(grades) for grades in judgements.relevance.values()),
        documents=len(judged),
        missing=len(judged) - count_documents(space.pk, sorted(judged)),
    )


def score(namespace: str, version: int, seconds: float) -> VersionScore:
    """How a version ranks the judged queries of a namespace. Raises ServiceError when there is no such namespace or
    version, or no judgement."""
    space: Namespace = namespaces.namespace(namespace)
    spec = registry.asked_spec(space.model_id, version)
    queries = judged_queries(space.pk)
    if not queries:
        raise ServiceError("not_found", f"namespace {namespace!r} has no judgements")
    found = rankings(spec, queries, time.monotonic() + seconds)
    return VersionScore(
        version=f"{spec.model_id} v{spec.version}",
        ndcg=mean_ndcg(found, queries),
        answered=len(found),
        queries=len(queries),
    )

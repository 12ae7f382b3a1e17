"""From results of the services to JSON. Vectors stay numpy rows, which the renderer writes as they are."""

from collections.abc import Iterable
from typing import Any

from embedding_project.contracts.errors import Unavailable
from embeddings_app.services.deleting import DeleteResult
from embeddings_app.services.embedding import EmbedOutcome, EmbedResult
from embeddings_app.services.hydration import SearchHit
from embeddings_app.services.reading import DocumentView, ModelView, NamespaceStatus
from embeddings_app.services.searching import SearchResult
from embeddings_app.services.upserting import UpsertResult

Json = dict[str, Any]


def embed_answer(result: EmbedResult) -> Json:
    """Raises Unavailable when not one text could be embedded."""
    if all(outcome.vector is None for outcome in result.outcomes):
        raise Unavailable("model_error")
    return {
        "model_id": result.model.model_id,
        "model_version": result.model.version,
        "dimension": result.model.dimension,
        "embeddings": [outcome.vector for outcome in result.outcomes],
        "items": [_item(outcome) for outcome in result.outcomes],
        "usage": {"inputs": len(result.outcomes), "tokens": sum(outcome.tokens for outcome in result.outcomes)},
    }


def _item(outcome: EmbedOutcome) -> Json:
    item: Json = {"cached": outcome.cached, "truncated": outcome.truncated, "tokens": outcome.tokens}
    return item if outcome.error is None else {**item, "error": outcome.error}


def upsert_answer(result: UpsertResult) -> Json:
    results = [{"id": item.doc_id, "revision": item.revision, "state": item.state} for item in result.results]
    return {"results": results, "token": result.token}


def delete_answer(result: DeleteResult) -> Json:
    return {"id": result.doc_id, "revision": result.revision, "deleted": result.deleted}


def document_answer(document: DocumentView, *, with_vector: bool) -> Json:
    answer: Json = {
        "id": document.doc_id,
        "namespace": document.namespace,
        "text": document.text,
        "metadata": document.metadata,
        "revision": document.revision,
        "state": document.state,
        "stale": document.stale,
        "updated_at": document.updated_at,
    }
    return {**answer, "vector": document.vector} if with_vector else answer


def namespace_answer(status: NamespaceStatus) -> Json:
    return {
        "name": status.name,
        "model_id": status.model_id,
        "count": status.count,
        "pending": status.pending,
        "searchable": status.searchable,
        "quarantined": status.quarantined,
    }


def models_answer(models: Iterable[ModelView]) -> Json:
    return {
        "models": [
            {
                "model_id": model.model_id,
                "model_version": model.version,
                "type": model.type,
                "dimension": model.dimension,
                "status": model.status,
                "max_tokens": model.max_tokens,
            }
            for model in models
        ]
    }


def search_answer(result: SearchResult) -> Json:
    total, failed = result.shards_total, result.shards_failed
    return {
        "hits": [_hit(hit) for hit in result.hits],
        "partial": bool(failed),
        "shards": {"total": total, "ok": total - len(failed), "failed": failed},
        "timings_ms": result.timings_ms,
        "model_id": result.model_id,
        "model_version": result.model_version,
    }


def _hit(hit: SearchHit) -> Json:
    answer: Json = {"id": hit.doc_id, "score": hit.score}
    if hit.metadata is not None:
        answer["metadata"] = hit.metadata
    if hit.text is not None:
        answer["text"] = hit.text
    if hit.stale:
        answer["stale"] = True
    return answer

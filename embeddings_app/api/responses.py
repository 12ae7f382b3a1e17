"""From results of the services to JSON. Vectors stay numpy rows, which the renderer writes as they are."""

from collections.abc import Sequence
from typing import Any

from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.services.documents.deleting import DeleteResult
from embeddings_app.services.documents.reading import DocumentView, ModelView, NamespaceStatus
from embeddings_app.services.documents.upserting import UpsertResult
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.searching import SearchResult

Json = dict[str, Any]


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


def models_answer(models: Sequence[ModelView]) -> Json:
    """Every version, and beside them the list that clients of the OpenAI API read."""
    return {
        "object": "list",
        "data": [openai_model(model) for model in models if model.embeds_text],
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
        ],
    }


def openai_model(model: ModelView) -> Json:
    return {
        "id": model.model_id,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": "local",
    }


def tei_info(model: ModelSpec) -> Json:
    return {
        "model_id": model.model_id,
        "model_sha": None,
        "model_dtype": model.dtype,
        "model_type": {"embedding": {"pooling": model.pooling}},
        "max_input_length": model.max_tokens,
        "max_client_batch_size": MAX_EMBED_INPUTS,
        "auto_truncate": True,
        "version": str(model.version),
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

"""POST /v1/rerank, in the form of Cohere, and POST /rerank, as clients of text-embeddings-inference expect it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS, MAX_RERANK_DOCUMENTS
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.text import checked_text
from embeddings_app import registry
from embeddings_app.api.admission import admission
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import checked_model_id
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.embedding.reranking import Ranked, rerank

Json = dict[str, Any]
TOO_MANY_TOKENS = "too_many_tokens"
_SCORE = parts.described(parts.NUMBER, "0 to 1; larger is more relevant.")
_DOCUMENT = parts.request_body({"text": parts.TEXT}, optional=())
_REQUEST = parts.request_body(
    {
        "query": parts.TEXT,
        "documents": parts.array(
            {"oneOf": [parts.TEXT, _DOCUMENT]}, "The texts to rank.", minItems=1, maxItems=MAX_RERANK_DOCUMENTS
        ),
        "model": parts.described(parts.MODEL_ID, "A cross-encoder. Left out: the only one that is active."),
        "top_n": parts.described(
            {"type": "integer", "minimum": 1, "maximum": MAX_RERANK_DOCUMENTS}, "How many to return. Left out: all."
        ),
        "return_documents": parts.described(parts.BOOLEAN, "Whether to return the texts too.", default=False),
        "truncate": parts.described(
            parts.BOOLEAN,
            "Whether a pair longer than the model reads is cut. If not, it fails the request.",
            default=True,
        ),
    },
    optional=("model", "top_n", "return_documents", "truncate"),
)
_RESULT = parts.record(
    {
        "index": parts.described(parts.COUNT, "Of the text in the request."),
        "relevance_score": _SCORE,
        "truncated": parts.described(
            parts.BOOLEAN, "The pair was longer than the model reads; the longer of the two lost its end."
        ),
        "document": parts.record({"text": parts.STRING}),
    },
    optional=("document",),
)
_ANSWER = parts.record(
    {
        "results": parts.array(_RESULT, "The most relevant first."),
        "model_id": parts.STRING,
        "model_version": parts.MODEL_VERSION,
        "usage": parts.record({"inputs": parts.COUNT, "tokens": parts.COUNT}),
    }
)
_EXAMPLE = {
    "results": [
        {"index": 1, "relevance_score": 0.93, "truncated": False},
        {"index": 0, "relevance_score": 0.02, "truncated": False},
    ],
    "model_id": "org/reranker",
    "model_version": 1,
    "usage": {"inputs": 2, "tokens": 41},
}
_TEI_REQUEST = parts.request_body(
    {
        "query": parts.TEXT,
        "texts": parts.array(parts.TEXT, "The texts to rank.", minItems=1, maxItems=MAX_RERANK_DOCUMENTS),
        "raw_scores": parts.described(parts.BOOLEAN, "Scores as the model gives them.", default=False),
        "return_text": {**parts.BOOLEAN, "default": False},
        "truncate": parts.TRUNCATE,
        "truncation_direction": {"type": "string", "enum": ["Right", "right"], "default": "Right"},
    },
    optional=("raw_scores", "return_text", "truncate", "truncation_direction"),
)
_TEI_ANSWER = parts.array(
    parts.record({"index": parts.COUNT, "score": parts.NUMBER, "text": parts.STRING}, optional=("text",)),
    "The most relevant first.",
)
_ERRORS = (*errors.GUARDED, *errors.BODY, *errors.TEXT, *errors.MODEL, *errors.EMBEDDING, TOO_MANY_TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankBody:
    query: str
    texts: tuple[str, ...]
    model_id: str | None
    top_n: int | None
    return_texts: bool
    truncate: bool
    raw: bool = False


class Rerank(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @operation(
        "rerank",
        "Rank texts for a query by a cross-encoder",
        tag="embed",
        body=_REQUEST,
        body_examples={"two": {"query": "where do foxes sleep?", "documents": ["Owls hunt.", "Foxes live in dens."]}},
        answers=[Answer(_ANSWER, "The texts by relevance.", {"two": _EXAMPLE})],
        errors=_ERRORS,
    )
    def post(self, request: Request) -> Response:
        body = rerank_request(json_object(request))
        spec = registry.reranker(body.model_id)
        with self.admitted(request, inputs=len(body.texts), places=admission().embeds):
            ranked = _ranked(spec, body, "documents")
        tokens = sum(one.tokens for one in ranked)
        return Response(
            {
                "results": [_result(one, body) for one in ranked[: body.top_n]],
                "model_id": spec.model_id,
                "model_version": spec.version,
                "usage": {"inputs": len(ranked), "tokens": tokens},
            }
        )


class TeiRerank(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @operation(
        "tei_rerank",
        "Rank texts for a query, for clients of text-embeddings-inference",
        tag="embed",
        description="By the only cross-encoder that is active.",
        body=_TEI_REQUEST,
        body_examples={"two": {"query": "where do foxes sleep?", "texts": ["Owls hunt.", "Foxes live in dens."]}},
        answers=[Answer(_TEI_ANSWER, "The texts by relevance.", {"one": [{"index": 1, "score": 0.93}]})],
        errors=_ERRORS,
        path="/rerank",
    )
    def post(self, request: Request) -> Response:
        body = tei_rerank_request(json_object(request))
        spec = registry.reranker(None)
        with self.admitted(request, inputs=len(body.texts), places=admission().embeds):
            ranked = _ranked(spec, body, "texts")
        return Response([_tei_result(one, body) for one in ranked])


def rerank_request(body: dict[str, object]) -> RerankBody:
    """Raises InvalidRequest."""
    fields = Fields(body, _REQUEST)
    query = checked_text(fields.required("query"), "query")
    documents = fields.items("documents")
    return RerankBody(
        query=query,
        texts=tuple(_text(item, f"documents[{index}]") for index, item in enumerate(documents)),
        model_id=checked_model_id(fields.required("model"), "model") if "model" in fields else None,
        top_n=fields.optional_integer("top_n"),
        return_texts=fields.flag("return_documents"),
        truncate=fields.flag("truncate"),
    )


def tei_rerank_request(body: dict[str, object]) -> RerankBody:
    """Raises InvalidRequest."""
    fields = Fields(body, _TEI_REQUEST)
    query = checked_text(fields.required("query"), "query")
    fields.choice("truncation_direction")
    return RerankBody(
        query=query,
        texts=tuple(checked_text(item, f"texts[{index}]") for index, item in enumerate(fields.items("texts"))),
        model_id=None,
        top_n=None,
        return_texts=fields.flag("return_text"),
        truncate=fields.flag("truncate"),
        raw=fields.flag("raw_scores"),
    )


def _text(item: object, path: str) -> str:
    if not isinstance(item, dict):
        return checked_text(item, path)
    return checked_text(Fields(item, _DOCUMENT, path).required("text"), f"{path}.text")


def _ranked(spec: ModelSpec, body: RerankBody, field: str) -> Sequence[Ranked]:
    ranked = rerank(spec, body.query, body.texts, time.monotonic() + EMBED_DEADLINE_SECONDS, field)
    cut = min((one.index for one in ranked if one.truncated), default=None)
    if cut is not None and not body.truncate:
        raise InvalidRequest(TOO_MANY_TOKENS, field=f"{field}[{cut}]")
    return ranked


def _result(one: Ranked, body: RerankBody) -> Json:
    result: Json = {"index": one.index, "relevance_score": round(one.relevance, 6), "truncated": one.truncated}
    return {**result, "document": {"text": body.texts[one.index]}} if body.return_texts else result


def _tei_result(one: Ranked, body: RerankBody) -> Json:
    result: Json = {"index": one.index, "score": one.raw if body.raw else one.relevance}
    return {**result, "text": body.texts[one.index]} if body.return_texts else result

"""POST /v1/upsert: one document, or a list of them."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_UPSERT_DOCUMENTS
from embedding_project.contracts.metadata import checked_metadata
from embedding_project.contracts.names import checked_doc_id
from embedding_project.contracts.text import checked_text
from embeddings_app.api.admission import admission
from embeddings_app.api.error_shapes import error_body
from embeddings_app.api.idempotency import KEY_PARAMETERS, answered_once, once_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import model_id_of, namespace_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.documents.outcomes import DocumentResult, RefusedDocument, UpsertResult, Wait
from embeddings_app.services.documents.upserting import DocumentWrite, UpsertRequest, upsert

_DOCUMENT = {
    "id": parts.DOC_ID,
    "text": parts.described(
        parts.TEXT, f"What is embedded. Required unless the model takes vectors. {parts.TEXT['description']}"
    ),
    "vector": parts.described(
        parts.VECTOR, f"Only where the model takes vectors from the client. {parts.VECTOR['description']}"
    ),
    "metadata": parts.METADATA,
    "if_revision": parts.described(
        {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
        "Write only if the document is at this revision; 0: only if there is no such document. Else its outcome is "
        "`revision_conflict`.",
    ),
    "expires_at": parts.described(
        {"type": "string", "format": "date-time", "maxLength": 64},
        "From then on no answer shows the document. RFC 3339 with an offset. Left out: it stays.",
    ),
}
_SHARED = {
    "namespace": parts.NAMESPACE,
    "model_id": parts.MODEL_ID,
    "wait": parts.described(
        {"type": "string", "enum": list(Wait), "default": Wait.ACCEPTED},
        "How far the write must have come before it is answered: durable; embedded and in the log of its shard; or "
        "applied by every replica that answers searches. What is not reached within 10 seconds is said by `state`.",
    ),
}
_OPTIONAL = ("text", "vector", "metadata", "if_revision", "expires_at", *_SHARED)
_ITEM = parts.request_body(_DOCUMENT, optional=_OPTIONAL)
_ONE = parts.request_body({**_DOCUMENT, **_SHARED}, optional=_OPTIONAL, title="One document")
_SEVERAL = parts.request_body(
    {"documents": parts.array(_ITEM, minItems=1, maxItems=MAX_UPSERT_DOCUMENTS), **_SHARED},
    optional=_OPTIONAL,
    title="Several documents",
)
_EITHER = parts.record({**_ONE["properties"], **_SEVERAL["properties"]})
_WRITTEN = parts.record(
    {
        "id": parts.DOC_ID,
        "revision": parts.REVISION,
        "state": parts.described(
            {"type": "string", "enum": ["pending", "indexed", "searchable", "quarantined", "deleted"]},
            "How far the document has come. quarantined: its text could not be embedded. deleted: another request "
            "deleted it after this one had written it.",
        ),
        "unchanged": parts.described(
            parts.BOOLEAN, "Present and true when the document was already as it was to be, so nothing was written."
        ),
    },
    optional=("unchanged",),
)
_ERROR: parts.Schema = parts.COMPONENTS["Error"]["properties"]["error"]
_REFUSED = parts.record(
    {"id": parts.described(parts.DOC_ID, "null when the fault is in the id.", nullable=True), "error": _ERROR}
)
_RESULTS = parts.array({"oneOf": [_WRITTEN, _REFUSED]}, "In the order of the request.")
_ANSWER = parts.record({"results": _RESULTS, "token": parts.TOKEN})
_EXAMPLE = {
    "results": [
        {"id": "notes/1", "revision": 1, "state": "pending"},
        {"id": "notes/2", **error_body(InvalidRequest("empty_input", field="documents[1].text"))},
    ],
    "token": None,
}


class Upsert(ApiView):
    scopes = {"POST": (Scope.WRITE,)}

    @operation(
        "upsert",
        "Write documents",
        tag="documents",
        description=(
            "Writes or replaces documents. The answer means that they are durable; writing the same content again "
            "changes nothing. A document with a fault is refused alone, with an error in its result; the request is "
            "refused when it has no document without a fault."
        ),
        parameters=KEY_PARAMETERS,
        body={"oneOf": [_ONE, _SEVERAL]},
        body_examples={
            "one document": {"id": "notes/1", "text": "Foxes live in dens.", "metadata": {"lang": "en"}},
            "several documents": {
                "documents": [{"id": "1", "text": "Foxes live in dens."}, {"id": "2", "text": "Owls hunt."}],
                "namespace": "animals",
                "wait": "searchable",
            },
        },
        answers=[Answer(_ANSWER, "The documents without an error are durable.", {"accepted": _EXAMPLE})],
        errors=[
            *errors.GUARDED,
            *errors.NAMESPACED,
            *errors.BODY,
            *errors.TEXT,
            *errors.VECTOR,
            *errors.MODEL,
            *errors.KEYED,
            *(
                "duplicate_id",
                "too_many_fields",
                "vector_required",
                "text_required",
                "model_mismatch",
                "busy",
                "revision_conflict",
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        wanted = upsert_request(json_object(request))
        once = once_of(request, _body)
        places = None if wanted.wait is Wait.ACCEPTED else admission().waits
        inputs = len(wanted.documents)
        with self.admitted(request, inputs=inputs, places=places, namespace=wanted.namespace):
            return answered_once(once, lambda: upsert(wanted, once), _body)


def upsert_request(body: dict[str, object]) -> UpsertRequest:
    """Raises InvalidRequest."""
    fields = Fields(body, _EITHER)
    misplaced = next((name for name in _DOCUMENT if name in fields), None)
    if "documents" in fields and misplaced:
        raise InvalidRequest("invalid_value", "a request has one document or a list, not both", field=misplaced)
    return UpsertRequest(
        documents=_documents(fields) if "documents" in fields else (_document(fields, ""),),
        namespace=namespace_of(fields),
        model_id=model_id_of(fields),
        wait=Wait(fields.choice("wait")),
    )


def _documents(fields: Fields) -> tuple[DocumentWrite | RefusedDocument, ...]:
    """Raises duplicate_id; any other fault of a document is its own."""
    documents: list[DocumentWrite | RefusedDocument] = []
    ids = set[str]()
    for index, item in enumerate(fields.items("documents")):
        path = f"documents[{index}]"
        document = _own_outcome(item, path)
        if document.doc_id in ids:
            raise InvalidRequest("duplicate_id", field=f"{path}.id")
        if document.doc_id is not None:
            ids.add(document.doc_id)
        documents.append(document)
    return tuple(documents)


def _own_outcome(item: object, path: str) -> DocumentWrite | RefusedDocument:
    doc_id = None
    try:
        if isinstance(item, dict) and item.get("id") is not None:
            doc_id = checked_doc_id(item["id"], f"{path}.id")
        return _document(Fields(item, _ITEM, path), path)
    except InvalidRequest as error:
        return RefusedDocument(doc_id, error)


def _document(fields: Fields, path: str) -> DocumentWrite:
    doc_id = checked_doc_id(fields.required("id"), fields.path("id"))
    vector = fields.optional_vector("vector")
    # A text beside a vector is stored with it, where the model takes vectors; without a vector it is what is embedded.
    text = checked_text(fields.required("text"), fields.path("text")) if vector is None or "text" in fields else None
    metadata = fields.optional("metadata")
    return DocumentWrite(
        doc_id=doc_id,
        text=text,
        vector=vector,
        metadata=checked_metadata(metadata, fields.path("metadata")) if metadata is not None else None,
        if_revision=fields.optional_integer("if_revision"),
        expires_at=fields.optional_moment("expires_at"),
        field=path,
    )


def _body(result: UpsertResult) -> dict[str, Any]:
    return {"results": [_result(item) for item in result.results], "token": result.token}


def _result(item: DocumentResult | RefusedDocument) -> dict[str, Any]:
    if isinstance(item, DocumentResult):
        told = {"id": item.doc_id, "revision": item.revision, "state": item.state}
        return told | {"unchanged": True} if item.unchanged else told
    return {"id": item.doc_id, **error_body(item.error)}

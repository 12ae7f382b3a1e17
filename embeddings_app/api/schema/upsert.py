"""POST /v1/upsert"""

from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.limits import MAX_UPSERT_DOCUMENTS
from embeddings_app.api.schema import errors
from embeddings_app.api.schema.parts import (
    DOC_ID,
    METADATA,
    MODEL_ID,
    NAMESPACE,
    REVISION,
    TEXT,
    TOKEN,
    VECTOR,
    array,
    described,
    record,
)

_DOCUMENT = {
    "id": DOC_ID,
    "text": described(TEXT, f"What is embedded. Required unless the model takes vectors. {TEXT['description']}"),
    "vector": described(VECTOR, f"Only where the model takes vectors from the client. {VECTOR['description']}"),
    "metadata": METADATA,
}
_SHARED = {
    "namespace": NAMESPACE,
    "model_id": MODEL_ID,
    "wait": described(
        {"type": "string", "enum": ["accepted", "indexed", "searchable"], "default": "accepted"},
        "How far the write must have come before it is answered: durable; embedded and in the log of its shard; or "
        "applied by every replica that answers searches. What is not reached within 10 seconds is said by `state`.",
    ),
}
_OPTIONAL = ("text", "vector", "metadata", *_SHARED)
_REQUEST = {
    "oneOf": [
        record({**_DOCUMENT, **_SHARED}, optional=_OPTIONAL, title="One document"),
        record(
            {
                "documents": array(record(_DOCUMENT, optional=_OPTIONAL), minItems=1, maxItems=MAX_UPSERT_DOCUMENTS),
                **_SHARED,
            },
            optional=_OPTIONAL,
            title="Several documents",
        ),
    ]
}
_RESULT = record(
    {
        "id": DOC_ID,
        "revision": REVISION,
        "state": described(
            {"type": "string", "enum": ["pending", "indexed", "searchable", "quarantined"]},
            "How far the document has come; quarantined: its text could not be embedded.",
        ),
    }
)

UPSERT = extend_schema(
    operation_id="upsert",
    summary="Write documents",
    description=(
        "Writes or replaces documents, all or none of them. The answer means that they are durable; writing the same "
        "content again changes nothing."
    ),
    tags=["documents"],
    parameters=[errors.RETRY_AFTER, errors.REQUEST_ID],
    request={
        "application/json": OpenApiRequest(
            _REQUEST,
            examples=[
                OpenApiExample(
                    "one document",
                    value={"id": "notes/1", "text": "Foxes live in dens.", "metadata": {"lang": "en"}},
                ),
                OpenApiExample(
                    "several documents",
                    value={
                        "documents": [{"id": "1", "text": "Foxes live in dens."}, {"id": "2", "text": "Owls hunt."}],
                        "namespace": "animals",
                        "wait": "searchable",
                    },
                ),
            ],
        )
    },
    responses={
        200: OpenApiResponse(
            record({"results": array(_RESULT, "In the order of the request."), "token": TOKEN}),
            description="The documents are durable.",
            examples=[
                OpenApiExample(
                    "accepted",
                    value={"results": [{"id": "notes/1", "revision": 1, "state": "pending"}], "token": None},
                )
            ],
        ),
        **errors.error_answers(
            *errors.GUARDED,
            *errors.NAMESPACED,
            *errors.BODY,
            *errors.TEXT,
            *errors.VECTOR,
            *errors.MODEL,
            "duplicate_id",
            "too_many_fields",
            "vector_required",
            "text_required",
            "model_mismatch",
            "database_unavailable",
        ),
    },
)

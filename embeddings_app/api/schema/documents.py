"""GET and DELETE /v1/vectors/{doc_id}"""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from embeddings_app.api.schema import errors
from embeddings_app.api.schema.parts import (
    BOOLEAN,
    DOC_ID,
    METADATA,
    NAMESPACE,
    NUMBER,
    REVISION,
    STRING,
    described,
    record,
)

_PATH = OpenApiParameter(
    "doc_id",
    DOC_ID,
    OpenApiParameter.PATH,
    description="The rest of the path, percent-decoded: slashes may stand plain or as %2F.",
)
_NAMESPACE = OpenApiParameter("namespace", NAMESPACE, OpenApiParameter.QUERY)
_INCLUDE = OpenApiParameter(
    "include", {"type": "string", "enum": ["vector"]}, OpenApiParameter.QUERY, description="Also return the vector."
)
_ERRORS = (*errors.GUARDED, *errors.NAMESPACED, "unknown_field", "unknown_namespace", "database_unavailable")
_DOCUMENT = record(
    {
        "id": DOC_ID,
        "namespace": STRING,
        "text": described({"type": "string", "nullable": True}, "Null where none is stored."),
        "metadata": METADATA,
        "revision": REVISION,
        "state": {"type": "string", "enum": ["pending", "indexed", "quarantined"]},
        "stale": described(BOOLEAN, "Searches still use the vector of an earlier text."),
        "updated_at": {"type": "string", "format": "date-time"},
        "vector": described(
            {"type": "array", "items": NUMBER, "nullable": True},
            "Of unit length; only with include=vector, and null until there is one.",
        ),
    },
    optional=("vector",),
)

GET_DOCUMENT = extend_schema(
    operation_id="get_document",
    summary="Read a document",
    tags=["documents"],
    parameters=[_PATH, _NAMESPACE, _INCLUDE, errors.RETRY_AFTER, errors.REQUEST_ID],
    responses={
        200: OpenApiResponse(
            _DOCUMENT,
            description="The document as it is stored.",
            examples=[
                OpenApiExample(
                    "document",
                    value={
                        "id": "notes/1",
                        "namespace": "default",
                        "text": "Foxes live in dens.",
                        "metadata": {"lang": "en"},
                        "revision": 1,
                        "state": "indexed",
                        "stale": False,
                        "updated_at": "2026-01-31T12:00:00+00:00",
                    },
                )
            ],
        ),
        **errors.error_answers(*_ERRORS, "invalid_type", "unknown_document", "unknown_model", "model_not_active"),
    },
)
DELETE_DOCUMENT = extend_schema(
    operation_id="delete_document",
    summary="Delete a document",
    description="No search that starts after the answer finds it. Deleting what is not there is no error.",
    tags=["documents"],
    parameters=[_PATH, _NAMESPACE, errors.RETRY_AFTER, errors.REQUEST_ID],
    responses={
        200: OpenApiResponse(
            record(
                {
                    "id": DOC_ID,
                    "revision": described(REVISION, "Of the tombstone; 0 when there never was such a document."),
                    "deleted": described(BOOLEAN, "Whether this request deleted it."),
                }
            ),
            description="The document is gone.",
            examples=[OpenApiExample("deleted", value={"id": "notes/1", "revision": 2, "deleted": True})],
        ),
        **errors.error_answers(*_ERRORS),
    },
)

"""POST /v1/documents/map"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.filters import parse_filter
from embedding_project.contracts.limits import (
    DEFAULT_MAPPED_DOCUMENTS,
    MAX_MAPPED_DOCUMENTS,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEY_LENGTH,
)
from embedding_project.contracts.text import checked_text
from embeddings_app.api.admission import admission
from embeddings_app.api.document_answers import FILTERS, IDS, ids_of
from embeddings_app.api.parsing import optional_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import namespace_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.mapping.maps import MapRequest, Spot, document_map

Json = dict[str, Any]
_BODY = parts.request_body(
    {
        "namespace": parts.NAMESPACE,
        "filters": FILTERS,
        "limit": parts.described(
            {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_MAPPED_DOCUMENTS,
                "default": DEFAULT_MAPPED_DOCUMENTS,
            },
            "How many documents at most; fewer where vectors are long.",
        ),
        "field": parts.described(
            {"type": "string", "minLength": 1, "maxLength": MAX_METADATA_KEY_LENGTH * MAX_METADATA_DEPTH},
            "A metadata field, as a dotted path: its value comes with each document.",
        ),
        "query": parts.described(parts.TEXT, "A text to place among them."),
        "ids": parts.described(IDS, "Documents to place among them, whether they are in the sample or not."),
    },
    optional=("namespace", "filters", "limit", "field", "query", "ids"),
)
_PLACE = {"x": parts.NUMBER, "y": parts.NUMBER}
_SPOT = parts.record(
    {
        "id": parts.DOC_ID,
        **_PLACE,
        "value": {"oneOf": [parts.STRING, parts.NUMBER, parts.BOOLEAN], "nullable": True},
    },
    optional=("value",),
)
_MAP = parts.record(
    {
        "documents": parts.array(_SPOT, "The sample."),
        "is_whole": parts.described(parts.BOOLEAN, "Whether these are all that pass and have a vector."),
        "shares": parts.array(parts.NUMBER, "How much of all differences each axis shows, 0 to 1."),
        "query": {**parts.record(_PLACE), "nullable": True},
        "named": parts.array(_SPOT, "The documents of `ids` that are there and have a vector."),
        "model_id": parts.STRING,
        "model_version": parts.MODEL_VERSION,
    }
)
_EXAMPLE = {
    "documents": [{"id": "notes/1", "x": -0.21, "y": 0.38, "value": "en"}],
    "is_whole": True,
    "shares": [0.31, 0.17],
    "query": {"x": -0.18, "y": 0.33},
    "named": [],
    "model_id": "all-MiniLM-L6-v2",
    "model_version": 1,
}


class DocumentMap(ApiView):
    scopes = {"POST": (Scope.SEARCH,)}

    @operation(
        "map_documents",
        "Place documents in a plane",
        tag="documents",
        description=(
            "A sample of the documents that pass the filter, placed by the two principal directions of their vectors. "
            "The same documents give the same sample and the same places."
        ),
        body=_BODY,
        body_examples={"coloured": {"field": "lang", "query": "where do foxes sleep?"}},
        answers=[Answer(_MAP, "Places.", {"one document": _EXAMPLE})],
        errors=[
            *(*errors.GUARDED, *errors.NAMESPACED, *errors.BODY, *errors.TEXT, *errors.MODEL, *errors.EMBEDDING),
            *("unknown_namespace", "invalid_filter"),
        ],
    )
    def post(self, request: Request) -> Response:
        fields = Fields(optional_object(request), _BODY)
        wanted = MapRequest(
            namespace=namespace_of(fields),
            filter=parse_filter(fields.optional("filters")),
            limit=fields.integer("limit"),
            path=fields.optional_string("field"),
            query=checked_text(fields.optional("query"), "query") if "query" in fields else None,
            ids=ids_of(fields) if "ids" in fields else (),
        )
        with self.admitted(request, inputs=1, places=admission().walks, namespace=wanted.namespace):
            found = document_map(wanted)
        has_values = wanted.path is not None
        return Response(
            {
                "documents": [_spot(one, has_values) for one in found.spots],
                "is_whole": found.is_whole,
                "shares": [round(share, 4) for share in found.shares],
                "query": None if found.query is None else dict(zip("xy", found.query, strict=True)),
                "named": [_spot(one, has_values) for one in found.named],
                "model_id": found.model_id,
                "model_version": found.model_version,
            }
        )


def _spot(spot: Spot, has_value: bool) -> Json:
    placed: Json = {"id": spot.doc_id, "x": spot.x, "y": spot.y}
    return {**placed, "value": spot.value} if has_value else placed

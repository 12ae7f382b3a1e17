"""POST /v1/documents/query, /v1/documents/get, /v1/documents/count and /v1/documents/facet"""

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.filters import parse_filter
from embedding_project.contracts.limits import (
    DEFAULT_FACET_VALUES,
    DEFAULT_LISTED_DOCUMENTS,
    MAX_FACET_VALUES,
    MAX_LISTED_DOCUMENTS,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEY_LENGTH,
)
from embeddings_app.api.admission import admission
from embeddings_app.api.document_answers import (
    CURSOR,
    DOCUMENT,
    EXAMPLE,
    FILTERS,
    IDS,
    INCLUDE,
    NEXT,
    cursor_of,
    document_json,
    ids_of,
    include_of,
    next_of,
)
from embeddings_app.api.parsing import json_object, optional_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import namespace_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.documents.listing import count_documents, count_values, list_documents
from embeddings_app.services.documents.reading import read_documents

_READ = {"POST": (Scope.SEARCH, Scope.WRITE)}
_ERRORS = (*errors.GUARDED, *errors.NAMESPACED, *errors.BODY, *errors.MODEL, "unknown_namespace")
_FILTERED = {"namespace": parts.NAMESPACE, "filters": FILTERS}
_QUERY = parts.request_body(
    {
        **_FILTERED,
        "limit": parts.described(
            {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_LISTED_DOCUMENTS,
                "default": DEFAULT_LISTED_DOCUMENTS,
            },
            "How many documents at most.",
        ),
        "order": parts.described({"type": "string", "enum": ["id", "-id"], "default": "id"}, "-id: the last id first."),
        "cursor": CURSOR,
        "include": INCLUDE,
    },
    optional=("namespace", "filters", "limit", "order", "cursor", "include"),
)
_PAGE = parts.record({"documents": parts.array(DOCUMENT, "In the order asked for."), "next": NEXT})
_GET = parts.request_body(
    {"ids": IDS, "namespace": parts.NAMESPACE, "include": INCLUDE}, optional=("namespace", "include")
)
_GOT = parts.record(
    {
        "documents": parts.array(DOCUMENT, "In the order of the request."),
        "missing": parts.array(parts.DOC_ID, "Ids of which there is no document."),
    }
)
_COUNT = parts.request_body(_FILTERED, optional=tuple(_FILTERED))
_EXACT = parts.described(parts.BOOLEAN, "If not, the time was over: there are more than the numbers say.")
_COUNTED = parts.record({"count": parts.COUNT, "is_exact": _EXACT})
_FACET = parts.request_body(
    {
        "field": parts.described(
            {"type": "string", "minLength": 1, "maxLength": MAX_METADATA_KEY_LENGTH * MAX_METADATA_DEPTH},
            "A metadata field, as a dotted path.",
        ),
        **_FILTERED,
        "limit": parts.described(
            {"type": "integer", "minimum": 1, "maximum": MAX_FACET_VALUES, "default": DEFAULT_FACET_VALUES},
            "How many values at most.",
        ),
    },
    optional=("namespace", "filters", "limit"),
)
_VALUE = parts.record(
    {"value": {"oneOf": [parts.STRING, parts.NUMBER, parts.BOOLEAN]}, "count": parts.COUNT},
)
_FACETED = parts.record({"values": parts.array(_VALUE, "The most frequent first."), "is_exact": _EXACT})


class DocumentQuery(ApiView):
    scopes = _READ

    @operation(
        "query_documents",
        "List documents",
        tag="documents",
        description=(
            "Documents that pass the filter, in the order of their ids. A document that lives all the time is listed "
            "once, whatever is written meanwhile. A page may have fewer documents than asked for, when the filter "
            "passes few of many; only `next` tells the end."
        ),
        body=_QUERY,
        body_examples={"filtered": {"filters": {"lang": "en"}, "limit": 50, "include": ["metadata"]}},
        answers=[Answer(_PAGE, "One page.", {"one document": {"documents": [EXAMPLE], "next": None}})],
        errors=[*_ERRORS, "invalid_filter", "invalid_text"],
    )
    def post(self, request: Request) -> Response:
        fields = Fields(optional_object(request), _QUERY)
        namespace, filter_ = namespace_of(fields), parse_filter(fields.optional("filters"))
        limit, include, cursor = fields.integer("limit"), include_of(fields), cursor_of(fields)
        descending = fields.choice("order") == "-id"
        with self.admitted(request, inputs=1, places=admission().walks, namespace=namespace):
            page = list_documents(
                namespace, filter_, limit=limit, after=cursor, descending=descending, with_vector="vector" in include
            )
        documents = [document_json(document, include) for document in page.documents]
        return Response({"documents": documents, "next": next_of(page.after)})


class DocumentGet(ApiView):
    scopes = _READ

    @operation(
        "get_documents",
        "Read documents by their ids",
        tag="documents",
        body=_GET,
        body_examples={"two": {"ids": ["notes/1", "notes/2"]}},
        answers=[Answer(_GOT, "What there is of them.", {"one": {"documents": [EXAMPLE], "missing": ["notes/2"]}})],
        errors=_ERRORS,
    )
    def post(self, request: Request) -> Response:
        fields = Fields(json_object(request), _GET)
        namespace, ids, include = namespace_of(fields), ids_of(fields), include_of(fields)
        with self.admitted(request, inputs=len(ids), places=None, namespace=namespace):
            found = read_documents(namespace, ids, "vector" in include)
        there = {document.doc_id for document in found}
        return Response(
            {
                "documents": [document_json(document, include) for document in found],
                "missing": [doc_id for doc_id in ids if doc_id not in there],
            }
        )


class DocumentCount(ApiView):
    scopes = _READ

    @operation(
        "count_documents",
        "Count documents",
        tag="documents",
        description="Documents that pass the filter, whether they are indexed yet or not.",
        body=_COUNT,
        body_examples={"filtered": {"filters": {"lang": "de"}}},
        answers=[Answer(_COUNTED, "How many there are.", {"exact": {"count": 41, "is_exact": True}})],
        errors=[*_ERRORS, "invalid_filter"],
    )
    def post(self, request: Request) -> Response:
        fields = Fields(optional_object(request), _COUNT)
        namespace, filter_ = namespace_of(fields), parse_filter(fields.optional("filters"))
        with self.admitted(request, inputs=1, places=admission().walks, namespace=namespace):
            counted = count_documents(namespace, filter_)
        return Response({"count": counted.count, "is_exact": counted.is_exact})


class DocumentFacet(ApiView):
    scopes = _READ

    @operation(
        "facet_documents",
        "Count the values of a field",
        tag="documents",
        description="The most frequent values among the documents that pass the filter. A list counts for each of its "
        "values.",
        body=_FACET,
        body_examples={"languages": {"field": "lang"}},
        answers=[
            Answer(
                _FACETED, "Values and numbers.", {"two": {"values": [{"value": "en", "count": 41}], "is_exact": True}}
            )
        ],
        errors=[*_ERRORS, "invalid_filter", "invalid_text"],
    )
    def post(self, request: Request) -> Response:
        fields = Fields(json_object(request), _FACET)
        fields.required("field")
        namespace, path = namespace_of(fields), fields.optional_string("field") or ""
        filter_, limit = parse_filter(fields.optional("filters")), fields.integer("limit")
        with self.admitted(request, inputs=1, places=admission().walks, namespace=namespace):
            facet = count_values(namespace, path, filter_, limit)
        values = [{"value": value, "count": number} for value, number in facet.values]
        return Response({"values": values, "is_exact": facet.is_exact})

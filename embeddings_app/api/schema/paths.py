"""Parameters in paths and queries that several routes share."""

from drf_spectacular.utils import OpenApiParameter

from embedding_project.contracts.limits import DEFAULT_PAGE_ITEMS, MAX_MODEL_VERSION, MAX_PAGE_ITEMS
from embeddings_app.api.requests.paging import MAX_KEY
from embeddings_app.api.schema import parts

_KEY = {"type": "integer", "minimum": 1, "maximum": MAX_KEY}
MODEL_ID = OpenApiParameter(
    "model_id",
    {"type": "string", "pattern": parts.MODEL_ID["pattern"]},
    OpenApiParameter.PATH,
    description="Slashes need no escape.",
)
VERSION = OpenApiParameter(
    "version", {"type": "integer", "minimum": 1, "maximum": MAX_MODEL_VERSION}, OpenApiParameter.PATH
)
RUN_ID = OpenApiParameter("run_id", _KEY, OpenApiParameter.PATH)
IMPORT_ID = OpenApiParameter("import_id", _KEY, OpenApiParameter.PATH)
LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_ITEMS, "default": DEFAULT_PAGE_ITEMS},
    OpenApiParameter.QUERY,
    description="Items of the page at most.",
)
AFTER = OpenApiParameter(
    "after", _KEY, OpenApiParameter.QUERY, description="`next` of the page before. Left out: the first page."
)
PAGE = (LIMIT, AFTER)
NEXT = parts.described(
    {**_KEY, "nullable": True}, "What to send as `after` to get the next page; null when there is none."
)

"""Python client of the embedding and semantic search service: see README.md of this package.

from embsearch import Client, Document, F

notes = Client("http://127.0.0.1:8000").namespace("notes")
notes.upsert(Document("1", "Foxes live in dens.", {"lang": "en"}), wait="searchable")
notes.search("where do foxes sleep?", filter=F.lang == "en")
"""

from embsearch.answers import (
    Count,
    Facet,
    FacetValue,
    GroupReport,
    Highlight,
    Hit,
    Hits,
    NamespaceInfo,
    NamespaceStatus,
    Refused,
    RerankReport,
    TextReport,
    TextSearch,
    Updated,
    Written,
)
from embsearch.async_client import AsyncClient
from embsearch.async_namespace import AsyncNamespace
from embsearch.client import Client
from embsearch.documents import Document, Page, StoredDocument
from embsearch.errors import (
    ApiError,
    Conflict,
    EmbsearchError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotReached,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from embsearch.filters import F, Field, Filter
from embsearch.model_answers import (
    Check,
    EmbedItem,
    EmbedResult,
    Health,
    ModelVersion,
    RankedText,
    TokenizedText,
    Usage,
)
from embsearch.namespace import Namespace
from embsearch.upload.report import FailedDocument, UploadProgress, UploadReport

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncNamespace",
    "Check",
    "Client",
    "Conflict",
    "Count",
    "Document",
    "EmbedItem",
    "EmbedResult",
    "EmbsearchError",
    "F",
    "Facet",
    "FacetValue",
    "FailedDocument",
    "Field",
    "Filter",
    "Forbidden",
    "GroupReport",
    "Health",
    "Highlight",
    "Hit",
    "Hits",
    "InvalidRequest",
    "ModelVersion",
    "Namespace",
    "NamespaceInfo",
    "NamespaceStatus",
    "NotFound",
    "NotReached",
    "Page",
    "RankedText",
    "RateLimited",
    "Refused",
    "RerankReport",
    "StoredDocument",
    "TextReport",
    "TextSearch",
    "TokenizedText",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "Updated",
    "UploadProgress",
    "UploadReport",
    "Usage",
    "Written",
]

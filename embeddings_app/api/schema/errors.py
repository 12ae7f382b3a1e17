"""Error answers of the routes, made from the one table of codes."""

from collections import defaultdict

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from embedding_project.contracts.errors import ERROR_KINDS, ServiceError
from embeddings_app.api.error_shapes import OPENAI_PATHS, TEI_PATHS, error_body
from embeddings_app.api.schema.parts import component

GUARDED = (
    "invalid_value",
    "unknown_field",
    "unauthenticated",
    "forbidden_scope",
    "forbidden_host",
    "https_required",
    "overloaded",
    "rate_limited",
    "internal_error",
    "database_unavailable",
    "too_slow",
)
"""What any request to a guarded path may hear."""
OPEN = ("invalid_value", "internal_error")
NAMESPACED = ("forbidden_namespace",)
"""On top, where a namespace is named."""
BODY = (
    "invalid_json",
    "missing_field",
    "invalid_type",
    "too_many_items",
    "body_timeout",
    "body_too_large",
    "unsupported_media_type",
)
TEXT = ("empty_input", "text_too_long", "invalid_text")
VECTOR = ("invalid_number", "dimension_mismatch", "zero_vector")
EMBEDDING = (
    "vector_required",
    "model_error",
    "embedder_unavailable",
    "model_unavailable",
    "broker_unavailable",
)
"""On top, where an embedder is asked."""
IDS = ("ids_not_accepted", "invalid_ids", "no_tokenizer")
"""On top, where token ids are taken."""
MODEL = ("unknown_model", "model_not_active", "unsupported_modality", "wrong_model_type")
KEYED = ("idempotency_key_reused",)
"""On top, where an `Idempotency-Key` is taken."""
EMBED = (*GUARDED, *BODY, *TEXT, *MODEL, *EMBEDDING, "too_many_tokens")
"""What any request for vectors may hear."""

RETRY_AFTER = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, description="Seconds to wait, at least 1.", response=[429, 503]
)
REQUEST_ID = OpenApiParameter(
    "X-Request-Id",
    str,
    OpenApiParameter.HEADER,
    description="The id sent with the request, or a new one.",
    response=True,
)


def error_answers(*codes: str, path: str = "") -> dict[int, OpenApiResponse]:
    """Status -> description and one example per code, in the form of the route at `path`."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        by_status[ERROR_KINDS[code].status].append(code)
    return {status: _answer(by_status[status], path) for status in sorted(by_status)}


def _answer(codes: list[str], path: str) -> OpenApiResponse:
    examples = [OpenApiExample(code, value=error_body(ServiceError(code), path)) for code in codes]
    lines = [f"`{code}`: {ERROR_KINDS[code].meaning}" for code in codes]
    name = "OpenAiError" if path in OPENAI_PATHS else "TeiError" if path in TEI_PATHS else "Error"
    return OpenApiResponse(component(name), description="\n\n".join(lines), examples=examples)

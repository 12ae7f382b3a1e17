"""Vectors in the forms clients ask for: rows of numbers, base64 per row, or all rows as they lie in memory.

Every form shows the outcome of every input, or the request fails and names the input.
"""

import base64
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse

from embedding_project.contracts.errors import ERROR_KINDS, InvalidRequest, Unavailable
from embedding_project.contracts.tokens import TokenizedText
from embedding_project.contracts.vectors import Vector, to_bytes
from embeddings_app.api.requests.embed import Encoding
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.embedding.requests import EmbedResult

Json = dict[str, Any]
BINARY_MEDIA_TYPE = "application/octet-stream"
_MODEL_ERROR = "model_error"


def embed_answer(result: EmbedResult, encoding: Encoding) -> Json:
    """Raises Unavailable when the model could not embed a single text."""
    _check_some_embedded(result)
    return {
        "model_id": result.model.model_id,
        "model_version": result.model.version,
        "dimension": result.dimension,
        "embeddings": _rows(result, encoding),
        "items": [_item(outcome) for outcome in result.outcomes],
        "usage": {"inputs": len(result.outcomes), "tokens": result.tokens},
    }


def binary_answer(result: EmbedResult) -> HttpResponse:
    """Rows of float32; what else there is to say stands in the headers. Raises Unavailable as `embed_answer` does."""
    _check_some_embedded(result)
    outcomes = list(enumerate(result.outcomes))
    headers = {
        "X-Model-Id": result.model.model_id,
        "X-Model-Version": str(result.model.version),
        "X-Dimension": str(result.dimension),
        "X-Count": str(len(outcomes)),
        "X-Tokens": str(result.tokens),
        "X-Failed": ",".join(f"{at}:{outcome.error}" for at, outcome in outcomes if outcome.error),
        "X-Truncated": ",".join(str(at) for at, outcome in outcomes if outcome.truncated),
    }
    return HttpResponse(to_bytes(result.vectors), content_type=BINARY_MEDIA_TYPE, headers=headers)


def openai_answer(result: EmbedResult, encoding: Encoding) -> Json:
    """Raises ServiceError when an input could not be embedded."""
    _check_all_embedded(result, "input")
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": row}
            for index, row in enumerate(_rows(result, encoding))
        ],
        "model": result.model.model_id,
        "usage": {"prompt_tokens": result.tokens, "total_tokens": result.tokens},
    }


def tei_answer(result: EmbedResult) -> Vector:
    """Raises ServiceError when an input could not be embedded."""
    _check_all_embedded(result, "inputs")
    return result.vectors


def _check_all_embedded(result: EmbedResult, field: str) -> None:
    """Raises ServiceError for the first input without a vector."""
    if result.first_error is None:
        return
    at, code = result.first_error
    if ERROR_KINDS[code].status == 400:
        raise InvalidRequest(code, field=f"{field}[{at}]")
    raise Unavailable(code, f"{field}[{at}]: {ERROR_KINDS[code].meaning}")


def tokenize_answer(model_id: str, version: int, texts: Sequence[TokenizedText], *, special: bool) -> Json:
    return {"model_id": model_id, "model_version": version, "items": [_tokens(text, special) for text in texts]}


def _tokens(text: TokenizedText, special: bool) -> Json:
    kept = [at for at, added in enumerate(text.special) if special or not added]
    return {
        "ids": [text.ids[at] for at in kept],
        "offsets": [text.offsets[at] for at in kept],
        "tokens": text.tokens - (0 if special else sum(text.special)),
        "truncated": text.truncated,
    }


def _check_some_embedded(result: EmbedResult) -> None:
    if all(outcome.error == _MODEL_ERROR for outcome in result.outcomes):
        raise Unavailable(_MODEL_ERROR)


def _rows(result: EmbedResult, encoding: Encoding) -> Vector | list[Any]:
    rows: Vector | list[Any] = result.vectors
    if encoding is Encoding.BASE64:
        rows = [base64.b64encode(row).decode() for row in _raw_rows(result.vectors)]
    if result.first_error is None:
        return rows
    return [None if outcome.error else row for row, outcome in zip(rows, result.outcomes, strict=True)]


def _raw_rows(vectors: Vector) -> list[bytes]:
    data = to_bytes(vectors)
    width = len(data) // len(vectors)
    return [data[start : start + width] for start in range(0, len(data), width)]


def _item(outcome: EmbedOutcome) -> Json:
    item: Json = {"cached": outcome.cached, "truncated": outcome.truncated, "tokens": outcome.tokens}
    return item if outcome.error is None else {**item, "error": outcome.error}

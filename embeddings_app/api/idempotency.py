"""The header `Idempotency-Key`: a write that is sent again gets the answer that it got."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import KEPT_ANSWER_HOURS, MAX_IDEMPOTENCY_KEY_LENGTH
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import BODY_HASH, IDEMPOTENCY_KEY
from embeddings_app.api.rendering import MEDIA_TYPE, to_json
from embeddings_app.records.kept_answers import WriteKey
from embeddings_app.services.documents.once import KEY_HEADER, AlreadyAnswered, Once

_KEY = re.compile(rf"[\x21-\x7e]{{1,{MAX_IDEMPOTENCY_KEY_LENGTH}}}")
_REPLAYED = "Idempotency-Replayed"
Result = TypeVar("Result")
KEY_PARAMETERS = (
    OpenApiParameter(
        KEY_HEADER,
        {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH, "pattern": "^[!-~]+$"},
        OpenApiParameter.HEADER,
        description=f"A name for this write: sent again within {KEPT_ANSWER_HOURS} hours, it is not done again, and "
        "the answer is the same. Not with a filter, `all` or `dry_run`.",
    ),
    OpenApiParameter(
        _REPLAYED,
        str,
        OpenApiParameter.HEADER,
        description="`true` when this is the answer to an earlier request with the same `Idempotency-Key`.",
        response=[200],
    ),
)


def once_of(
    request: Request, body_of: Callable[[Result], Mapping[str, Any]], *, is_one_write: bool = True
) -> Once[Result] | None:
    """What the header asks for, after the body was read; None without the header. Raises InvalidRequest."""
    key = request.META.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        message = f"the header must be 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} visible ASCII characters"
        raise InvalidRequest("invalid_value", message, field=KEY_HEADER)
    if not is_one_write:
        message = "the header is taken with ids only: a change by filter is several writes, and a dry run is none"
        raise InvalidRequest("invalid_value", message, field=KEY_HEADER)
    body = request.META.get(BODY_HASH, b"")
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode() + body).digest()
    return Once(
        key=WriteKey(caller=caller_of(request).name, key=key, request_hash=digest),
        body_of=lambda result: to_json(body_of(result)),
    )


def answered_once(
    once: Once[Result] | None, work: Callable[[], Result], body_of: Callable[[Result], Mapping[str, Any]]
) -> HttpResponse:
    """The answer to `work`, or the one that the key has. `body_of` may wait for more than the commit."""
    if once is None:
        return Response(body_of(work()))
    try:
        kept = once.kept()
        if kept is None:
            answer = body_of(work())
            once.settle(to_json(answer))
            return Response(answer)
    except AlreadyAnswered as done:
        kept = done.answer
    return HttpResponse(kept.body, status=kept.status, content_type=MEDIA_TYPE, headers={_REPLAYED: "true"})

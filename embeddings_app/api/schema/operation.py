"""One operation of the OpenAPI document, from what its route knows: its request, its answer, the errors it can give."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.errors import ERROR_KINDS
from embeddings_app.api.schema.errors import REQUEST_ID, RETRY_AFTER, error_answers
from embeddings_app.api.schema.parts import Schema

JSON = "application/json"
Method = TypeVar("Method", bound=Callable[..., object])
Examples = Mapping[str, object]
"""Name -> value."""


@dataclass(frozen=True, slots=True)
class Answer:
    schema: Any
    """A JSON schema, or one of drf-spectacular's own types."""
    description: str
    examples: Examples = field(default_factory=dict)
    status: int = 200
    media_type: str = JSON


def operation(
    name: str,
    summary: str,
    *,
    tag: str,
    answers: Iterable[Answer],
    errors: Iterable[str],
    path: str = "",
    description: str | None = None,
    parameters: Iterable[OpenApiParameter] = (),
    body: Schema | None = None,
    body_examples: Examples | None = None,
) -> Callable[[Method], Method]:
    """A decorator for the method of a view. `path` chooses the form of the errors, `body` is the request's schema."""
    codes = tuple(errors)
    headers = [REQUEST_ID]
    if any(ERROR_KINDS[code].status in (429, 503) for code in codes):
        headers.insert(0, RETRY_AFTER)
    request = None if body is None else {JSON: OpenApiRequest(body, examples=_shown(body_examples or {}))}
    decorator: Callable[[Method], Method] = extend_schema(
        operation_id=name,
        summary=summary,
        description=description,
        tags=[tag],
        parameters=[*parameters, *headers],
        request=request,
        responses={
            **{(answer.status, answer.media_type): _response(answer) for answer in answers},
            **error_answers(*codes, path=path),
        },
    )
    return decorator


def _response(answer: Answer) -> OpenApiResponse:
    examples = _shown(answer.examples, of_answer=True)
    return OpenApiResponse(answer.schema, description=answer.description, examples=examples)


def _shown(examples: Examples, *, of_answer: bool = False) -> list[OpenApiExample]:
    return [OpenApiExample(name, value=value, response_only=of_answer) for name, value in examples.items()]

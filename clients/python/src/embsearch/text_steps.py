"""The steps of embedding, tokenizing, and of asking about models and health."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from embsearch.errors import ApiError, InvalidRequest, item_error
from embsearch.exchange import Call, Patience, Steps, answered, answered_whole, get, post
from embsearch.model_answers import EmbedItem, EmbedResult, Health, ModelVersion, RankedText, TokenizedText, Usage
from embsearch.vectors import Vectors, joined, row_bytes, rows_of

_INPUT_FIELD = re.compile(r"inputs\[(\d+)\]")


class Ways(TypedDict, total=False):
    """How texts are embedded. What is left out is left to the service."""

    input_type: Literal["document", "query"]
    model_id: str
    model_version: int
    dimensions: int
    normalize: bool
    truncate: bool


def embed_call(texts: Sequence[str], how: Ways, encoding: str) -> Call:
    return post("/v1/embed", {"inputs": list(texts), "encoding_format": encoding, **how})


def vectors(texts: Sequence[str], first: int, how: Ways, patience: Patience) -> Steps[Vectors]:
    """`first` is the number of the first of these texts among all. Raises the ApiError of the first text that cannot be
    embedded, with its number among all."""
    found: list[Vectors] = []

    def ask(left: Patience) -> Steps[list[ApiError]]:
        # What was embedded comes from the cache when all are asked for again.
        reply = yield from answered(embed_call(texts, how, "binary"), left)
        failed = [one.partition(":") for one in reply.headers.get("x-failed", "").split(",") if one]
        if not failed:
            found.append(rows_of(reply.content, int(reply.headers["x-dimension"])))
        said = "the text was not embedded"
        return [item_error({"code": code, "message": said, "field": f"inputs[{place}]"}) for place, _, code in failed]

    try:
        yield from answered_whole(ask, patience)
    except ApiError as error:
        if place := _INPUT_FIELD.fullmatch(error.field or ""):
            error.field = f"inputs[{first + int(place[1])}]"
        raise
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPart:
    """The outcomes of some of many texts. The rows are joined when all parts are there."""

    rows: tuple[str | None, ...]
    """Each in base64."""
    items: tuple[EmbedItem, ...]
    dimension: int
    """0 while it is not known, because every text failed."""


def outcomes(texts: Sequence[str], how: Ways, patience: Patience) -> Steps[EmbeddedPart]:
    """Each text with its own outcome, also where all of them fail and the service therefore refuses the request."""
    try:
        reply = yield from answered(embed_call(texts, how, "base64"), patience)
    except ApiError as error:
        if not (isinstance(error, InvalidRequest) and _INPUT_FIELD.fullmatch(error.field or "")):
            raise
        if len(texts) == 1:
            return EmbeddedPart(rows=(None,), items=(EmbedItem.failed(error),), dimension=0)
        alone: list[EmbeddedPart] = []
        for text in texts:
            alone += [(yield from outcomes([text], how, patience))]
        return _together(alone)
    body = reply.json()
    items = tuple(map(EmbedItem.of, body["items"]))
    return EmbeddedPart(rows=tuple(body["embeddings"]), items=items, dimension=body["dimension"])


def result_of(parts: Sequence[EmbeddedPart]) -> EmbedResult:
    whole = _together(parts)
    for number, item in enumerate(whole.items):
        if item.error is not None:
            item.error.field = f"inputs[{number}]"
    content = b"".join(row_bytes(row, whole.dimension) for row in whole.rows)
    rows = rows_of(content, whole.dimension) if whole.dimension else joined(())
    usage = Usage(inputs=len(whole.items), tokens=sum(item.tokens for item in whole.items))
    return EmbedResult(vectors=rows, items=whole.items, usage=usage)


def _together(parts: Sequence[EmbeddedPart]) -> EmbeddedPart:
    return EmbeddedPart(
        rows=tuple(row for part in parts for row in part.rows),
        items=tuple(item for part in parts for item in part.items),
        dimension=max((part.dimension for part in parts), default=0),
    )


def first_error(result: EmbedResult) -> ApiError | None:
    return next((item.error for item in result.items if item.error), None)


def numbered(parts: Iterable[Sequence[str]]) -> Iterator[tuple[int, Sequence[str]]]:
    """Each part with the number of its first text among all."""
    first = 0
    for part in parts:
        yield first, part
        first += len(part)


def tokenized(
    texts: Sequence[str], model_id: str | None, add_special_tokens: bool | None, patience: Patience
) -> Steps[tuple[TokenizedText, ...]]:
    body = {"inputs": list(texts), "model_id": model_id, "add_special_tokens": add_special_tokens}
    reply = yield from answered(post("/v1/tokenize", body), patience)
    return tuple(map(TokenizedText.of, reply.json()["items"]))


def ranked(
    query: str, texts: Sequence[str], model: str | None, top_n: int | None, patience: Patience
) -> Steps[tuple[RankedText, ...]]:
    body = {"query": query, "documents": list(texts), "model": model, "top_n": top_n}
    reply = yield from answered(post("/v1/rerank", body), patience)
    return tuple(map(RankedText.of, reply.json()["results"]))


def model_list(patience: Patience) -> Steps[tuple[ModelVersion, ...]]:
    reply = yield from answered(get("/v1/models"), patience)
    return tuple(map(ModelVersion.of, reply.json()["models"]))


def health(patience: Patience) -> Steps[Health]:
    """503 is an answer here: not ready."""
    reply = yield from answered(get("/readyz"), patience, also_good=(503,))
    return Health.of(reply.json())

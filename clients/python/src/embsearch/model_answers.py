"""What the service answers about models, texts and its own health."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embsearch.errors import ApiError, item_error
from embsearch.vectors import Vectors

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedText:
    """One text, as a cross-encoder sees it beside the query."""

    index: int
    """Of the text among those that were given."""
    score: float
    """0 to 1; larger is more relevant."""
    truncated: bool
    """The pair was longer than the model reads."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "RankedText":
        return cls(index=body["index"], score=body["relevance_score"], truncated=body["truncated"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    model_id: str
    model_version: int
    type: str
    """transformers, external or openai."""
    dimension: int
    max_tokens: int | None
    status: str

    @classmethod
    def of(cls, body: Json) -> "ModelVersion":
        return cls(
            model_id=body["model_id"],
            model_version=body["model_version"],
            type=body["type"],
            dimension=body["dimension"],
            max_tokens=body.get("max_tokens"),
            status=body["status"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedItem:
    """What became of one text."""

    cached: bool
    tokens: int
    truncated: bool
    """Only the beginning of the text was embedded."""
    unknown: bool
    """The model knows no token of the text, so its vector says nothing."""
    error: ApiError | None

    @classmethod
    def of(cls, body: Json) -> "EmbedItem":
        return cls(
            cached=body["cached"],
            tokens=body["tokens"],
            truncated=body["truncated"],
            unknown=body.get("unknown", False),
            error=item_error(body["error"]) if "error" in body else None,
        )

    @classmethod
    def failed(cls, error: ApiError) -> "EmbedItem":
        return cls(cached=False, tokens=0, truncated=False, unknown=False, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    inputs: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedResult:
    """The vectors of many texts, each with its own outcome."""

    vectors: Vectors
    """A row for each text; every number is NaN where the item has an error."""
    items: tuple[EmbedItem, ...]
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedText:
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    """For each id, the position of its first character and the one after its last; (0, 0) of special tokens."""
    tokens: int
    """Ids of the whole text, including those that the model does not read."""
    truncated: bool

    @classmethod
    def of(cls, body: Json) -> "TokenizedText":
        return cls(
            ids=tuple(body["ids"]),
            offsets=tuple((start, end) for start, end in body["offsets"]),
            tokens=body["tokens"],
            truncated=body["truncated"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the service can do all its work, and its parts."""

    ready: bool
    checks: Mapping[str, Check]

    @classmethod
    def of(cls, body: Json) -> "Health":
        checks = {name: Check(ok=one["ok"], detail=one["detail"]) for name, one in body["checks"].items()}
        return cls(ready=body["ready"], checks=checks)

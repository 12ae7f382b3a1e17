"""What the service answers about writes, searches and namespaces. Fields that are not known here are passed over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from embsearch.errors import ApiError, item_error

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of one document of an upsert."""

    id: str | None
    revision: int | None
    state: str | None
    """pending, indexed, searchable, quarantined or deleted."""
    error: ApiError | None
    """Why this document was refused; then revision and state are None."""

    @classmethod
    def of(cls, body: Json) -> "Written":
        error = item_error(body["error"]) if "error" in body else None
        return cls(id=body["id"], revision=body.get("revision"), state=body.get("state"), error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One document that a search found."""

    id: str
    score: float
    """Cosine similarity, -1 to 1."""
    metadata: Json | None
    text: str | None
    vector: Sequence[float] | None
    stale: bool
    """It was found by the vector of an earlier text."""

    @classmethod
    def of(cls, body: Json) -> "Hit":
        return cls(
            id=body["id"],
            score=body["score"],
            metadata=body.get("metadata"),
            text=body.get("text"),
            vector=body.get("vector"),
            stale=body.get("stale", False),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits(Sequence[Hit]):
    """The answer to a search: a sequence of hits, the nearest first."""

    hits: tuple[Hit, ...]
    partial: bool
    """A shard did not answer in time, so hits may be missing."""
    shards_failed: tuple[int, ...]
    timings_ms: Mapping[str, float]
    model_id: str
    model_version: int
    ef_search: int | None
    warnings: tuple[str, ...]
    """What is probably a mistake, such as a filter on a field that no document has."""

    @classmethod
    def of(cls, body: Json) -> "Hits":
        return cls(
            hits=tuple(map(Hit.of, body["hits"])),
            partial=body["partial"],
            shards_failed=tuple(body["shards"]["failed"]),
            timings_ms=body["timings_ms"],
            model_id=body["model_id"],
            model_version=body["model_version"],
            ef_search=body.get("ef_search"),
            warnings=tuple(body.get("warnings", ())),
        )

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many documents there are."""

    value: int
    is_exact: bool
    """If not, the time was over, and there are at least so many."""

    def __int__(self) -> int:
        return self.value

    @classmethod
    def of(cls, body: Json) -> "Count":
        return cls(value=body["count"], is_exact=body["is_exact"])


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    value: str | int | float | bool
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """The values of a field, the most frequent first."""

    values: tuple[FacetValue, ...]
    is_exact: bool

    @classmethod
    def of(cls, body: Json) -> "Facet":
        values = tuple(FacetValue(value=one["value"], count=one["count"]) for one in body["values"])
        return cls(values=values, is_exact=body["is_exact"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A document that an update left as it was."""

    id: str
    error: ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    matched: int
    """Documents that the update looked at."""
    updated: int
    """Those whose metadata is another now."""
    refused: tuple[Refused, ...]

    @classmethod
    def of(cls, body: Json) -> "Updated":
        refused = tuple(Refused(id=one["id"], error=item_error(one["error"])) for one in body["refused"])
        return cls(matched=body["matched"], updated=body["updated"], refused=refused)

    def __add__(self, other: "Updated") -> "Updated":
        return Updated(
            matched=self.matched + other.matched,
            updated=self.updated + other.updated,
            refused=(*self.refused, *other.refused),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceStatus:
    """How far the documents of a namespace are. Each number stops at 100,000."""

    name: str
    model_id: str
    count: int
    pending: int
    """Documents that wait for the vector of their text."""
    searchable: int
    quarantined: int
    """Documents whose text could not be embedded."""
    count_is_exact: bool
    fields: tuple[str, ...]
    """Metadata fields that count for the limit of 64."""
    unused_fields: tuple[str, ...] | None
    """Those that no document has; None where that is not known."""

    @property
    def is_settled(self) -> bool:
        """Nothing waits: searches find every document that they can find."""
        return self.pending == 0 and self.searchable + self.quarantined >= self.count

    @classmethod
    def of(cls, body: Json) -> "NamespaceStatus":
        unused = body.get("unused_fields")
        return cls(
            name=body["name"],
            model_id=body["model_id"],
            count=body["count"],
            pending=body["pending"],
            searchable=body["searchable"],
            quarantined=body["quarantined"],
            count_is_exact=body["count_is_exact"],
            fields=tuple(body["fields"]),
            unused_fields=None if unused is None else tuple(unused),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceInfo:
    """One namespace in a list."""

    name: str
    model_id: str
    store_text: bool
    created_at: str
    count: int | None
    count_is_exact: bool | None

    @classmethod
    def of(cls, body: Json) -> "NamespaceInfo":
        return cls(
            name=body["name"],
            model_id=body["model_id"],
            store_text=body["store_text"],
            created_at=body["created_at"],
            count=body.get("count"),
            count_is_exact=body.get("count_is_exact"),
        )

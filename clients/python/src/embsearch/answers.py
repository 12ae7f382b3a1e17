"""What the service answers about writes, searches and namespaces. Fields that are not known here are passed over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
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
    unchanged: bool
    """The document was already as it was to be."""
    error: ApiError | None
    """Why this document was refused; then revision and state are None."""

    @classmethod
    def of(cls, body: Json) -> "Written":
        error = item_error(body["error"]) if "error" in body else None
        return cls(
            id=body["id"],
            revision=body.get("revision"),
            state=body.get("state"),
            unchanged=body.get("unchanged", False),
            error=error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """A piece of a text, with the words that were looked for."""

    text: str
    marks: tuple[tuple[int, int], ...]
    """Begin and end of each word, in characters."""

    @classmethod
    def of(cls, body: Json) -> "Highlight":
        return cls(text=body["text"], marks=tuple((begin, end) for begin, end in body["marks"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One document that a search found."""

    id: str
    score: float
    """Cosine similarity, -1 to 1; in mode text BM25; in mode hybrid the fused ranks, 1 for the first of both."""
    metadata: Json | None
    text: str | None
    vector: Sequence[float] | None
    stale: bool
    """It was found by the vector of an earlier text."""
    ranks: Mapping[str, int] | None = None
    """In mode hybrid: its place by `vector` and by `text`, where it was found."""
    highlights: tuple[Highlight, ...] = ()
    group: str | int | float | bool | None = None
    """With `group_by`: the value by which it is here."""

    @classmethod
    def of(cls, body: Json) -> "Hit":
        return cls(
            id=body["id"],
            score=body["score"],
            metadata=body.get("metadata"),
            text=body.get("text"),
            vector=body.get("vector"),
            stale=body.get("stale", False),
            ranks=body.get("ranks"),
            highlights=tuple(map(Highlight.of, body.get("highlights", ()))),
            group=body.get("group"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReport:
    """How a search by words went."""

    language: str
    words: tuple[str, ...]
    """Those that chose documents."""
    frequent: tuple[str, ...]
    """Those of too many documents: they chose few, and added to scores."""
    looked_at: int
    incomplete: str | None
    """Why documents may be missing: filling, too_many, too_slow."""

    @classmethod
    def of(cls, body: Json) -> "TextReport":
        return cls(
            language=body["language"],
            words=tuple(body["words"]),
            frequent=tuple(body["frequent"]),
            looked_at=body["looked_at"],
            incomplete=body["incomplete"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """How hits were put into groups."""

    count: int
    seen: int
    """Hits that were looked at."""
    complete: bool
    """Whether a look at more hits could add nothing."""

    @classmethod
    def of(cls, body: Json) -> "GroupReport":
        return cls(count=body["count"], seen=body["seen"], complete=body["complete"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankReport:
    """How hits were ranked once more."""

    model_id: str
    model_version: int
    reranked: int
    truncated: int
    error: str | None
    """Code of the error because of which the hits are in the order of the search."""

    @classmethod
    def of(cls, body: Json) -> "RerankReport":
        return cls(
            model_id=body["model_id"],
            model_version=body["model_version"],
            reranked=body["reranked"],
            truncated=body["truncated"],
            error=body["error"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits(Sequence[Hit]):
    """The answer to a search: a sequence of hits, the best first."""

    hits: tuple[Hit, ...]
    partial: bool
    """A shard, or one half of mode hybrid, did not answer in time, so hits may be missing."""
    shards_failed: tuple[int, ...]
    timings_ms: Mapping[str, float]
    model_id: str
    model_version: int
    ef_search: int | None
    warnings: tuple[str, ...]
    """What is probably a mistake, such as a filter on a field that no document has."""
    text: TextReport | None = None
    """In modes text and hybrid."""
    rerank: RerankReport | None = None
    vector_error: str | None = None
    """Code of the error because of which mode hybrid found nothing by meaning."""
    groups: GroupReport | None = None
    """With `group_by`."""

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
            text=TextReport.of(body["text"]) if "text" in body else None,
            rerank=RerankReport.of(body["rerank"]) if "rerank" in body else None,
            vector_error=body.get("vector_error"),
            groups=GroupReport.of(body["groups"]) if "groups" in body else None,
        )

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each hit: id, score, text and vector where they were asked for, and a column for
        each field of metadata that one of the hits has. Needs pandas."""
        pandas = import_module("pandas")
        return pandas.DataFrame([_row(hit) for hit in self.hits], columns=_columns(self.hits))

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
class TextSearch:
    """Whether the words of a namespace can be searched."""

    language: str
    """Or off."""
    documents: int
    """Documents whose words are kept."""
    complete: bool
    """If not, words of documents that were there before still follow the setting."""


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
    text_search: TextSearch | None = None

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
            text_search=_text_search(body.get("text_search")),
        )


def _text_search(body: Json | None) -> TextSearch | None:
    if body is None:
        return None
    return TextSearch(language=body["language"], documents=body["documents"], complete=body["complete"])


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceInfo:
    """One namespace in a list."""

    name: str
    model_id: str
    store_text: bool
    created_at: str
    count: int | None
    count_is_exact: bool | None
    text_search: str | None = None
    """Language of the words that a search can find, or off."""

    @classmethod
    def of(cls, body: Json) -> "NamespaceInfo":
        return cls(
            name=body["name"],
            model_id=body["model_id"],
            store_text=body["store_text"],
            created_at=body["created_at"],
            count=body.get("count"),
            count_is_exact=body.get("count_is_exact"),
            text_search=body.get("text_search"),
        )


def _row(hit: Hit) -> dict[str, Any]:
    own = {"id": hit.id, "score": hit.score, "text": hit.text, "vector": hit.vector}
    return {**(hit.metadata or {}), **own}


def _columns(hits: Sequence[Hit]) -> list[str]:
    """A field of metadata that is called as a part of the hit itself has no column."""
    own = ["id", "score", *(name for name in ("text", "vector") if any(getattr(hit, name) is not None for hit in hits))]
    fields = dict.fromkeys(name for hit in hits for name in hit.metadata or {})
    return [*own, *(name for name in fields if name not in ("id", "score", "text", "vector"))]

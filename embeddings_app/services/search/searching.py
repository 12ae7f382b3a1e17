"""Search: the answer to one request.

1. which model version answers  2. the vector, from the cache or an embedder when the query is text  3. the search of
that version's index, of the words of the namespace, or of both  4. maybe the search is kept as a sample  5. hints at
what is probably a mistake
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embedding_project.contracts.errors import ServiceError, Unavailable
from embedding_project.contracts.filters import Filter, to_wire
from embedding_project.contracts.limits import MAX_TOP_K, SEARCH_DEADLINE_SECONDS
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector, to_bytes
from embeddings_app import registry
from embeddings_app.database.patience import answered_by
from embeddings_app.models import Namespace
from embeddings_app.records.search_samples import LiveSearch
from embeddings_app.services import namespaces
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.waiting import wait_until_applied
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.quality.sampling import search_sampler
from embeddings_app.services.search.diversity import diverse
from embeddings_app.services.search.filter_hints import filter_warnings, kinds_held
from embeddings_app.services.search.fusing import Weights
from embeddings_app.services.search.halves import Halves, Words, begin_words, find, vector_due
from embeddings_app.services.search.highlighting import highlighted
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.metrics import PARTIAL_ANSWERS, SEARCHES
from embeddings_app.services.search.notable import notable_searches
from embeddings_app.services.search.query_vectors import Wanted, wanted_vector
from embeddings_app.services.search.reranking_hits import RerankAsked, RerankReport, reranked
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.text_half import TextReport, WordQuery
from embeddings_app.services.search.text_query import MOST_RANKED, MOST_RANKED_BESIDE, Mode, TextAsked
from embeddings_app.services.search.tickets import SearchTicket
from embeddings_app.services.search.version_search import VectorQuery
from embeddings_app.services.topology import topology

_DIVERSE_FROM, _LEAST_DIVERSE_FROM = 4, 50
"""Candidates for each hit that differs from the others, and at least."""
_FUSED = 60
"""Candidates of each half of a search by words and meaning, or a multiple: pages within it are of one ranking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsAsked:
    """Hits by the values of a field: see grouping.py."""

    field: str
    """Dotted path in the metadata."""
    size: int
    """Hits of each group at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    wanted: Wanted
    model_id: str | None
    model_version: int | None
    """A version whose index is whole; None for the active one."""
    namespace: str
    top_k: int
    offset: int
    """How many of the nearest hits are left out."""
    min_score: float | None
    diversity: float | None
    """Balance of maximal marginal relevance, 1 for score alone; None for the nearest hits."""
    filter: Filter | None
    ef_search: int | None
    """None for the one that calibration found for the version."""
    exact: bool
    include: frozenset[str]
    """Of `metadata`, `text` and `vector`."""
    min_tokens: Mapping[str, str]
    """Positions the index must have reached, from writes: the field of each in the request -> the token."""
    allow_partial: bool
    """Whether an answer without some of the shards, or without one of two halves, is better than none."""
    mode: Mode
    text: TextAsked | None
    """None in mode vector."""
    weights: Weights
    highlight: bool
    groups: GroupsAsked | None
    rerank: RerankAsked | None

    @property
    def words_would_do(self) -> bool:
        """Whether what is found by words is an answer, where there is no vector in time."""
        return self.mode is Mode.HYBRID and self.allow_partial


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    mode: Mode
    hits: tuple[SearchHit, ...]
    exhausted: bool
    """Whether there are no others: neither behind the last of them, nor any that a wider look could find."""
    shards_total: int
    shards_failed: tuple[int, ...]
    """Their numbers, in order."""
    timings_ms: dict[str, float]
    model_id: str
    model_version: int
    ef_search: int
    """The breadth that was used."""
    text: TextReport | None
    """Of the search by words; None when there was none."""
    rerank: RerankReport | None
    vector_fault: str | None
    """Code of the error because of which the search by meaning has no share in the answer."""
    warnings: tuple[str, ...]
    """What of the request is probably not meant."""

    @property
    def partial(self) -> bool:
        """Whether hits may be missing because a part of the service did not answer."""
        late = self.text is not None and self.text.incomplete == "too_slow"
        unranked = self.rerank is not None and self.rerank.error is not None
        return bool(self.shards_failed or self.vector_fault or late or unranked)


def search(request: SearchRequest) -> SearchResult:
    """The documents nearest in meaning. Raises ServiceError; shards that are missing are said, not raised, unless all
    of them are or the caller wants all or nothing."""
    deadline = time.monotonic() + SEARCH_DEADLINE_SECONDS
    with answered_by(deadline):
        return search_within(request, deadline, Stopwatch())


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of a search, in monotonic seconds."""

    deadline: float
    vector_due: float
    """Until when a vector, and the index for it, is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A search whose vector is there, if it needs one, and whose words are searched."""

    request: SearchRequest
    space: Namespace
    spec: ModelSpec
    query: VectorQuery | None
    vector_fault: Unavailable | None
    """Why a search by words and meaning has no vector."""
    words: Words | None
    about_query: tuple[str, ...]
    reranker: ModelSpec | None


def search_within(request: SearchRequest, deadline: float, watch: Stopwatch) -> SearchResult:
    """A part of a search that has its own deadline and watch."""
    times = Times(deadline=deadline, vector_due=vector_due(deadline, words_would_do=request.words_would_do))
    return answered(prepare(request, *asked(request), times, watch, {}), deadline, watch)


def asked(request: SearchRequest) -> tuple[Namespace, ModelSpec]:
    """The namespace, and the version that answers. Raises ServiceError."""
    space = namespaces.namespace(request.namespace)
    namespaces.check_model(space, request.model_id)
    return space, registry.asked_spec(space.model_id, request.model_version)


def prepare(
    request: SearchRequest,
    space: Namespace,
    spec: ModelSpec,
    times: Times,
    watch: Stopwatch,
    embedded: Mapping[str, EmbedOutcome] | ServiceError,
) -> Prepared:
    """`embedded`: query texts that were embedded before, or why none could be. Raises ServiceError."""
    query, fault, about_query = None, None, tuple[str, ...]()
    reranker, words = _reranker(request, space), None
    if request.text is not None:
        asked_for = _word_query(request, spec, request.text)
        words = begin_words(asked_for, space, times.deadline, watch, beside=request.mode is Mode.HYBRID)
    if request.mode is Mode.TEXT:
        # Words are there with the write; a token that is none is a mistake all the same.
        for field, token in request.min_tokens.items():
            positions.written(token, field)
    else:
        try:
            query, about_query = _vector_half(request, space, spec, times.vector_due, watch, embedded)
        except Unavailable as error:
            if request.mode is Mode.VECTOR or not request.allow_partial:
                raise
            fault = error
    return Prepared(
        request=request,
        space=space,
        spec=spec,
        query=query,
        vector_fault=fault,
        words=words,
        about_query=about_query,
        reranker=reranker,
    )


def _reranker(request: SearchRequest, space: Namespace) -> ModelSpec | None:
    if request.rerank is None:
        return None
    if not space.store_text:
        raise ServiceError("text_not_kept", "the namespace keeps no texts, so none can be ranked", field="rerank")
    return registry.reranker(request.rerank.model_id, "rerank.model")


def _vector_half(
    request: SearchRequest,
    space: Namespace,
    spec: ModelSpec,
    due: float,
    watch: Stopwatch,
    embedded: Mapping[str, EmbedOutcome] | ServiceError,
) -> tuple[VectorQuery, tuple[str, ...]]:
    if request.min_tokens:
        with watch.stage("wait"):
            _wait_for_tokens(request.min_tokens, spec.version_key, due)
    if isinstance(embedded, ServiceError):
        if request.wanted.query is not None:
            raise embedded
        embedded = {}
    with watch.stage("embed"):
        vector, about_query = wanted_vector(request.wanted, spec, space, due, embedded)
    ef_search = registry.auto_ef(spec.version_key) if request.ef_search is None else request.ef_search
    return _vector_query(request, spec, space.pk, vector, ef_search), about_query


def answered(
    prepared: Prepared, deadline: float, watch: Stopwatch, carried: SearchTicket | None = None
) -> SearchResult:
    """The answer. `carried`: what `carry_together` gave for the query. Raises ServiceError, DatabaseError."""
    request, spec, space, query = prepared.request, prepared.spec, prepared.space, prepared.query
    found = find(_halves(prepared), deadline, watch, carried)
    SEARCHES.labels(spec.model_id, str(spec.version)).inc()
    if request.mode is Mode.VECTOR and query and request.model_version is None and found.hits and space.store_text:
        vector = query.vector
        search_sampler().offer(lambda: _live_search(request, spec, space.pk, vector))
    held = kinds_held(space.pk) if request.filter is not None and not found.hits else {}
    ordered, rerank_report = _in_order(prepared, found.hits, deadline, watch)
    hits, warnings = _page(request, ordered), found.warnings
    if request.highlight:
        with watch.stage("highlight"):
            hits, late = highlighted(hits, found.marked, space, deadline)
        warnings = (*warnings, *late)
    result = SearchResult(
        mode=request.mode,
        hits=hits,
        exhausted=found.exhausted and len(found.hits) <= request.offset + request.top_k,
        shards_total=found.shards,
        shards_failed=found.failed,
        timings_ms=watch.total(),
        model_id=spec.model_id,
        model_version=spec.version,
        ef_search=query.ef_search if query else 0,
        text=found.text,
        rerank=rerank_report,
        vector_fault=found.vector_fault,
        warnings=(*prepared.about_query, *warnings, *filter_warnings(request.filter, space.fields, held)),
    )
    if result.partial:
        PARTIAL_ANSWERS.inc()
    notable_searches().offer(
        namespace=space.name,
        model=f"{spec.model_id}@{spec.version}",
        timings_ms=result.timings_ms,
        hits=len(hits),
        filter_=request.filter,
        partial=result.partial,
        text=request.wanted.query if space.store_text else None,
    )
    return result


def _in_order(
    prepared: Prepared, hits: Sequence[SearchHit], deadline: float, watch: Stopwatch
) -> tuple[Sequence[SearchHit], RerankReport | None]:
    """The hits as they are shown: ranked once more, if that is asked for."""
    request, asked_for = prepared.request, prepared.request.rerank
    if asked_for is None or prepared.reranker is None:
        return hits, None
    query = asked_for.query or request.wanted.query or (request.text.words if request.text else "")
    with watch.stage("rerank"):
        ordered, report = reranked(
            hits, prepared.reranker, query, asked_for.top, deadline, allow_partial=request.allow_partial
        )
    if "text" not in request.include:
        ordered = [replace(hit, text=None) for hit in ordered]
    return ordered, report


def _halves(prepared: Prepared) -> Halves:
    request = prepared.request
    return Halves(
        space=prepared.space,
        vector=prepared.query,
        vector_fault=prepared.vector_fault,
        words=prepared.words,
        weights=request.weights,
        min_score=request.min_score,
        allow_partial=request.allow_partial,
        # One more than are shown, which tells whether there are more.
        fused=_wanted(request) + 1 if request.diversity is None and request.rerank is None else None,
    )


def _word_query(request: SearchRequest, spec: ModelSpec, text: TextAsked) -> WordQuery:
    return WordQuery(
        asked=text,
        top_k=_candidates(request),
        wanted=_wanted(request),
        filter=request.filter,
        include=_read(request),
        version_key=spec.version_key,
        dimension=spec.dimension,
        most_ranked=MOST_RANKED_BESIDE if request.mode is Mode.HYBRID else MOST_RANKED,
    )


def _page(request: SearchRequest, hits: Sequence[SearchHit]) -> tuple[SearchHit, ...]:
    """Those that are asked for, of the nearest ones."""
    liked = {one.doc_id for one in request.wanted.liked}
    found = [hit for hit in hits if hit.doc_id not in liked]
    end = request.offset + request.top_k
    if request.diversity is None or not found:
        return tuple(found[request.offset : end])
    vectors = np.stack([hit.vector for hit in found if hit.vector is not None])
    places = diverse([hit.score for hit in found], vectors, request.diversity, end)
    chosen = (found[place] for place in places[request.offset :])
    return tuple(chosen) if "vector" in request.include else tuple(replace(hit, vector=None) for hit in chosen)


def _vector_query(
    request: SearchRequest, spec: ModelSpec, namespace_key: int, vector: Vector, ef_search: int
) -> VectorQuery:
    return VectorQuery(
        version_key=spec.version_key,
        storage=spec.storage,
        namespace_key=namespace_key,
        vector=vector,
        top_k=_candidates(request),
        filter=request.filter,
        ef_search=ef_search,
        exact=request.exact,
        include=_read(request) if request.diversity is None else request.include | {"vector"},
        allow_partial=request.allow_partial,
    )


def _read(request: SearchRequest) -> frozenset[str]:
    """What of the hits is read, to be shown or to be ranked."""
    return request.include if request.rerank is None else request.include | {"text"}


def _wanted(request: SearchRequest) -> int:
    """How many of the best hits can be shown, and be those that are to be like."""
    return request.offset + request.top_k + len(request.wanted.liked)


def _candidates(request: SearchRequest) -> int:
    """How many of the nearest documents to look at. Those that are to be like do not count themselves."""
    asked = request.offset + request.top_k
    if request.diversity is not None:
        asked = min(max(_DIVERSE_FROM * asked, _LEAST_DIVERSE_FROM), MAX_TOP_K)
    if request.rerank is not None:
        asked = max(asked, request.rerank.top)
    if request.mode is Mode.HYBRID:
        asked = max(asked, min(_FUSED * -(-asked // _FUSED), MAX_TOP_K))
    return asked + len(request.wanted.liked)


def _live_search(request: SearchRequest, spec: ModelSpec, namespace_key: int, vector: Vector) -> LiveSearch:
    by_vector = request.wanted.query is None
    return LiveSearch(
        model_id=spec.model_id,
        namespace_key=namespace_key,
        text=request.wanted.query or "",
        vector=to_bytes(vector) if by_vector else None,
        version_key=spec.version_key if by_vector else None,
        top_k=request.top_k,
        filter=to_wire(request.filter) if request.filter is not None else "",
        ef_search=request.ef_search,
    )


def _wait_for_tokens(tokens: Mapping[str, str], version_key: int, deadline: float) -> None:
    current = topology()
    position = positions.furthest(tokens, current, version_key)
    if not wait_until_applied(position, current, deadline):
        raise Unavailable("not_caught_up")

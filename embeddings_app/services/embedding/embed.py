"""Texts and token ids to vectors: from the cache, else from an embedder; each item has its own outcome."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from embedding_project.contracts.keys import InputType, cache_key, ids_cache_key, pair_cache_key
from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector
from embeddings_app.services.embedding.admission import EmbedAdmission, embed_admission
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.flights import Outcome, StreamKey
from embeddings_app.services.embedding.gateway import NOT_ANSWERED, gateway
from embeddings_app.services.embedding.ledger import Entry
from embeddings_app.services.embedding.metrics import TEXTS
from embeddings_app.services.embedding.single_flight import single_flight

INFRASTRUCTURE_ERRORS = frozenset({"embedder_unavailable", "broker_unavailable", "model_unavailable", "internal_error"})
"""Outcomes that say nothing about the text: trying again can help."""

ANSWER_SECONDS = 15.0
"""Patient bulk texts have so long to be answered, from when there is room for them."""
_POLL_SECONDS = 0.05
"""Between two looks of bulk texts at the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedOutcome:
    vector: Vector | None
    tokens: int
    truncated: bool
    cached: bool
    error: str | None
    unknown: bool = False
    """Whether the model knows none of the tokens, so that other such texts have the same vector."""


def embed_texts(
    spec: ModelSpec,
    input_type: InputType,
    texts: Sequence[str],
    lane: Lane,
    deadline: float,
    *,
    use_cache: bool = True,
    reserve: bool = False,
    keep_end: bool = False,
    patient: bool = False,
) -> list[EmbedOutcome]:
    """One outcome per text, in order, by `deadline`; vectors as the model gave them. With `keep_end` a text that is too
    long loses its beginning, and not its end.

    With `patient`, bulk texts wait until `deadline` for room in the queue, and then have time of their own to be
    answered: what they waited for room says nothing about how long they take.

    Raises Unavailable when interactive texts would wait too long; with `reserve` only when even more wait.
    """
    prompt = spec.prompt(input_type)
    items = [
        EmbedItem(
            cache_key=cache_key(spec, input_type, text, keep_end=keep_end),
            text=prompt + text,
            prompt_length=len(prompt),
            keep_end=keep_end,
        )
        for text in texts
    ]
    return _embed(StreamKey(spec, lane, use_cache), items, deadline, reserve=reserve, patient=patient)


def embed_ids(spec: ModelSpec, ids: Sequence[bytes], deadline: float) -> list[EmbedOutcome]:
    """The same for lists of packed token ids. No prompt is put before them. Raises Unavailable."""
    items = [EmbedItem(cache_key=ids_cache_key(spec, packed), text="", ids=packed) for packed in ids]
    return _embed(StreamKey(spec, Lane.INTERACTIVE, True), items, deadline)


def score_pairs(
    spec: ModelSpec, query: str, texts: Sequence[str], deadline: float, *, use_cache: bool = True
) -> list[EmbedOutcome]:
    """The same for a cross-encoder: of each text beside the query, a vector of one number. Raises Unavailable."""
    items = [EmbedItem(cache_key=pair_cache_key(spec, query, text), text=query, second=text) for text in texts]
    return _embed(StreamKey(spec, Lane.INTERACTIVE, use_cache), items, deadline)


def _embed(
    key: StreamKey, items: Sequence[EmbedItem], deadline: float, *, reserve: bool = False, patient: bool = False
) -> list[EmbedOutcome]:
    # Equal items of one request share a key: one look-up, one inference.
    distinct = {item.cache_key: item for item in items}
    found = cached_vectors().find(key.model, list(distinct)) if key.use_cache else {}
    missing = [item for cached, item in distinct.items() if cached not in found]
    computed = _computed(key, missing, deadline, reserve=reserve, patient=patient) if missing else []
    fresh = {item.cache_key: outcome for item, outcome in zip(missing, computed, strict=True)}
    TEXTS.labels(key.lane, "cached").inc(len(distinct) - len(fresh))
    for outcome in fresh.values():
        TEXTS.labels(key.lane, outcome if isinstance(outcome, str) else "embedded").inc()
    return [
        _outcome(fresh[item.cache_key], cached=False)
        if item.cache_key in fresh
        else _outcome(found[item.cache_key], cached=True)
        for item in items
    ]


def _computed(
    key: StreamKey, missing: Sequence[EmbedItem], deadline: float, *, reserve: bool, patient: bool
) -> list[Outcome]:
    def compute(items: Sequence[EmbedItem]) -> list[Outcome]:
        if key.lane is Lane.BULK:
            return _embed_with_room(key, items, deadline, patient=patient)
        return _embed_admitted(key, items, deadline, reserve=reserve)

    if not key.use_cache:
        return compute(missing)
    return single_flight().embed(key.model, key.lane, missing, deadline, compute)


def _embed_admitted(key: StreamKey, items: Sequence[EmbedItem], deadline: float, *, reserve: bool) -> list[Outcome]:
    """What the gateway makes of interactive `items`, if they may join the queue. Raises Unavailable."""
    admission = embed_admission()
    entry = admission.enter(key, items, reserve=reserve)
    return _answered(key, items, min(deadline, time.monotonic() + admission.patience(key.lane)), entry)


def _embed_with_room(key: StreamKey, items: Sequence[EmbedItem], deadline: float, *, patient: bool) -> list[Outcome]:
    """What the gateway makes of bulk `items`, once there is room for them in the queue."""
    entry = _bulk_entry(embed_admission(), key, items, deadline)
    if entry is None:
        return [NOT_ANSWERED] * len(items)
    if patient:
        deadline = answer_deadline(deadline, time.monotonic())
    return _answered(key, items, deadline, entry)


def answer_deadline(room_until: float, now: float) -> float:
    """Until when patient texts wait that have room `now`. What another request should have computed is computed after
    the own texts of a batch: the lease of the batch must outlast that too."""
    return min(now, room_until) + ANSWER_SECONDS


def _answered(key: StreamKey, items: Sequence[EmbedItem], deadline: float, entry: Entry) -> list[Outcome]:
    admission = embed_admission()
    try:
        outcomes = gateway().embed(key, items, deadline)
        admission.learn(key, items, outcomes)
        return outcomes
    finally:
        admission.leave(entry)


def _bulk_entry(admission: EmbedAdmission, key: StreamKey, items: Sequence[EmbedItem], deadline: float) -> Entry | None:
    while (entry := admission.try_bulk(key, items)) is None and time.monotonic() + _POLL_SECONDS < deadline:
        time.sleep(_POLL_SECONDS)
    return entry


def _outcome(outcome: Outcome, *, cached: bool) -> EmbedOutcome:
    if isinstance(outcome, str):
        return EmbedOutcome(vector=None, tokens=0, truncated=False, cached=False, error=outcome)
    return EmbedOutcome(
        vector=outcome.vector,
        tokens=outcome.tokens,
        truncated=outcome.truncated,
        cached=cached,
        error=None,
        unknown=outcome.unknown,
    )

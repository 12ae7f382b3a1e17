"""A text that is in no cache is computed once, however many requests of however many processes want it at a time.

Who gets the lease of a text leads: it computes and hands the outcome to those who wait in its process; those of other
processes find the vector in the cache when the lease is given back. Who leads computes before it waits, so two requests
that lead each other's texts both get on. Nobody waits longer than half of its time: then it computes alone. A leader
that dies stops renewing, and one of those who wait takes over. Without the cache everybody computes.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import EmbeddedText
from embedding_project.threads.background import repeat_forever
from embedding_project.threads.waiter import Waiter
from embedding_project.vector_cache import VectorCache
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.flights import Outcome
from embeddings_app.services.embedding.leases import RENEW_SECONDS, FlightLeases, is_stored, outcome_in
from embeddings_app.services.embedding.metrics import SINGLE_FLIGHTS

MAX_WAIT_SECONDS = 5.0
_LOOK_SECONDS = 0.005
_MAX_LOOK_SECONDS = 0.1
_LOOK_SHARE = 10
"""Looking at leases may take a tenth of the time of its thread."""
TEXT_ERROR = "model_error"
"""The one outcome that is the text's own fault: waiters get it too, instead of trying the text one after another."""
_ALONE = "alone"
"""Left by a leader that failed through no fault of the text."""
_GONE = "gone"
"""Nobody leads any more, and the vector is not there."""
Compute = Callable[[Sequence[EmbedItem]], Sequence[Outcome]]
_LeaseKey = tuple[Lane, bytes]
"""Which lease: the lane, and the cache key of the text."""


@dataclass(slots=True, eq=False)
class _Wait:
    """One request and the texts that others compute for it."""

    dimension: int
    waiter: Waiter
    missing: set[_LeaseKey] = field(default_factory=set)
    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    """An embedding, an error code, or one of the words above."""

    def settle(self, flight: _LeaseKey, outcome: Outcome) -> None:
        self.missing.discard(flight)
        self.outcomes[flight[1]] = outcome
        if not self.missing:
            self.waiter.wake()


@dataclass(slots=True)
class _Lead:
    token: str
    renewed_at: float


class SingleFlight:
    def __init__(self, vectors: VectorCache) -> None:
        self._vectors = vectors
        self._leases = FlightLeases(vectors)
        self._changed = threading.Condition()
        self._led: dict[_LeaseKey, _Lead] = {}
        self._waits: dict[_LeaseKey, list[_Wait]] = {}
        self._ended: list[tuple[Lane, bytes, str, str]] = []
        self._look_seconds = _LOOK_SECONDS
        repeat_forever("single-flight", self._tick)

    def embed(
        self, spec: ModelSpec, lane: Lane, items: Sequence[EmbedItem], deadline: float, compute: Compute
    ) -> list[Outcome]:
        """The outcomes of `items`, each of another key, in order; `compute` is given what nobody else computes."""
        until = time.monotonic() + min(MAX_WAIT_SECONDS, (deadline - time.monotonic()) / 2)
        outcomes: dict[bytes, Outcome] = {}
        pending, how = {item.cache_key: item for item in items}, "led"
        while pending:
            led, wait, alone = self._board(spec, lane, list(pending), until)
            outcomes |= self._lead(lane, led, pending, compute)
            SINGLE_FLIGHTS.labels(spec.model_id, how).inc(len(led))
            shared, unanswered = self._await(wait)
            SINGLE_FLIGHTS.labels(spec.model_id, "shared").inc(len(shared))
            alone = [*alone, *unanswered]
            if alone:
                outcomes.update(zip(alone, compute([pending[key] for key in alone]), strict=True))
                SINGLE_FLIGHTS.labels(spec.model_id, "alone").inc(len(alone))
            outcomes |= shared
            pending = {key: item for key, item in pending.items() if key not in outcomes}
            how = "taken_over"
        return [outcomes[item.cache_key] for item in items]

    def _board(
        self, spec: ModelSpec, lane: Lane, keys: Sequence[bytes], until: float
    ) -> tuple[dict[bytes, str], _Wait, list[bytes]]:
        """Key -> token of what this request leads now, the wait for what others compute, and what is to be computed
        without anybody knowing."""
        wait = _Wait(spec.dimension, Waiter(until))
        if time.monotonic() >= until:
            return {}, wait, list(keys)
        unled = self._wait_here(lane, keys, wait)
        if not unled:
            return {}, wait, []
        token = uuid.uuid4().hex
        holders = self._leases.claim(lane, unled, token)
        if holders is None:
            return {}, wait, unled
        claimed = dict(zip(unled, holders, strict=True))
        led = {key: token for key, holder in claimed.items() if holder is None}
        stored = [key for key, holder in claimed.items() if holder is not None and is_stored(holder)]
        found = dict(zip(stored, self._vectors.get_many(stored, spec.dimension), strict=True))
        with self._changed:
            now = time.monotonic()
            self._led |= {(lane, key): _Lead(token, now) for key in led}
            for key, holder in claimed.items():
                if holder is not None:
                    self._join((lane, key), wait, found.get(key) or outcome_in(holder))
        # A stored frame that is not sound is in nobody's way for long; here it is computed past the leases.
        return led, wait, [key for key in stored if found[key] is None]

    def _wait_here(self, lane: Lane, keys: Sequence[bytes], wait: _Wait) -> list[bytes]:
        """Wait for those of `keys` that this process leads; the others."""
        with self._changed:
            for key in keys:
                if (lane, key) in self._led:
                    self._join((lane, key), wait, "")
            return [key for key in keys if (lane, key) not in wait.missing]

    def _join(self, flight: _LeaseKey, wait: _Wait, outcome: Outcome) -> None:
        if outcome:
            wait.outcomes[flight[1]] = outcome
            return
        wait.missing.add(flight)
        self._waits.setdefault(flight, []).append(wait)
        self._changed.notify()

    def _lead(
        self, lane: Lane, led: Mapping[bytes, str], items: Mapping[bytes, EmbedItem], compute: Compute
    ) -> dict[bytes, Outcome]:
        if not led:
            return {}
        outcomes: dict[bytes, Outcome] = {}
        try:
            outcomes = dict(zip(led, compute([items[key] for key in led]), strict=True))
        finally:
            with self._changed:
                for key, token in led.items():
                    self._land((lane, key), token, outcomes.get(key, _ALONE))
                self._changed.notify()
        return outcomes

    def _land(self, flight: _LeaseKey, token: str, outcome: Outcome) -> None:
        self._led.pop(flight, None)
        shown = outcome if isinstance(outcome, EmbeddedText) or outcome == TEXT_ERROR else _ALONE
        self._ended.append((*flight, token, shown if isinstance(shown, str) else ""))
        self._settle(flight, shown)

    def _settle(self, flight: _LeaseKey, outcome: Outcome) -> None:
        for wait in self._waits.pop(flight, ()):
            wait.settle(flight, outcome)

    def _await(self, wait: _Wait) -> tuple[dict[bytes, Outcome], list[bytes]]:
        """What others computed, and what this request shall compute alone; the rest has no leader any more."""
        if wait.missing:
            wait.waiter.wait()
        with self._changed:
            given_up = [key for _, key in wait.missing]
            for flight in wait.missing:
                waits = self._waits.get(flight, [])
                if wait in waits:
                    waits.remove(wait)
                if not waits:
                    self._waits.pop(flight, None)
            outcomes = dict(wait.outcomes)
        alone = [key for key, outcome in outcomes.items() if isinstance(outcome, str) and outcome == _ALONE]
        shared = {key: found for key, found in outcomes.items() if not isinstance(found, str) or found == TEXT_ERROR}
        return shared, [*alone, *given_up]

    def _tick(self) -> None:
        with self._changed:
            if not self._ended:
                self._changed.wait(self._look_seconds if self._waits else RENEW_SECONDS)
            ended, self._ended = self._ended, []
            renewed = self._due()
            watched = {flight: waits[0].dimension for flight, waits in self._waits.items() if flight not in self._led}
        if ended:
            self._leases.end(ended)
        if renewed:
            self._leases.renew(renewed)
        if watched:
            began = time.monotonic()
            self._look(watched)
            spent = time.monotonic() - began
            self._look_seconds = min(max(_LOOK_SECONDS, _LOOK_SHARE * spent), _MAX_LOOK_SECONDS)
            time.sleep(_LOOK_SECONDS)

    def _due(self) -> dict[_LeaseKey, str]:
        now = time.monotonic()
        due = {flight: lead for flight, lead in self._led.items() if now - lead.renewed_at >= RENEW_SECONDS}
        for lead in due.values():
            lead.renewed_at = now
        return {flight: lead.token for flight, lead in due.items()}

    def _look(self, watched: Mapping[_LeaseKey, int]) -> None:
        """Tell those who wait what became of the leases that others hold."""
        flights = list(watched)
        holders = self._leases.holders(flights)
        if holders is None:
            self._settle_all((flight, _ALONE) for flight in flights)
            return
        read = dict(zip(flights, holders, strict=True))
        self._settle_all((flight, outcome_in(holder)) for flight, holder in read.items() if holder)
        gone = [flight for flight, holder in read.items() if holder is None]
        for dimension in {watched[flight] for flight in gone}:
            alike = [flight for flight in gone if watched[flight] == dimension]
            found = self._vectors.get_many([key for _, key in alike], dimension)
            self._settle_all((flight, vector or _GONE) for flight, vector in zip(alike, found, strict=True))

    def _settle_all(self, outcomes: Iterable[tuple[_LeaseKey, Outcome]]) -> None:
        with self._changed:
            for flight, outcome in outcomes:
                if outcome and flight not in self._led:
                    self._settle(flight, outcome)


@cache
def single_flight() -> SingleFlight:
    """That of this process, started at first use."""
    return SingleFlight(cached_vectors().shared)

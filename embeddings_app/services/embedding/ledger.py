"""What this process has sent to the embedders and not had answered, in estimated tokens."""

import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embedding_project.broker.embed_load import Tokens, model_name
from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.tokens import ID_BYTES
from embedding_project.contracts.vectors import EmbeddedText
from embeddings_app.services.embedding.flights import Outcome

_FIRST_GUESS = 0.25
"""Tokens per byte of a model that has not answered yet: English is near it."""
_LEAST, _MOST = 0.02, 2.0
_WEIGHT = 0.2
_TELLING_BYTES = 64
_SPECIAL_TOKENS = 2


class TokenEstimates:
    """Tokens of texts from their length, by what the models' replies have shown. Safe to use from several threads."""

    def __init__(self) -> None:
        self._per_byte: dict[str, float] = {}

    def of(self, spec: ModelSpec, items: Sequence[EmbedItem]) -> dict[bytes, float]:
        """Cache key -> tokens."""
        per_byte = self._per_byte.get(model_name(spec), _FIRST_GUESS)
        return {item.cache_key: min(_tokens(item, per_byte), spec.max_tokens) for item in items}

    def learn(self, spec: ModelSpec, items: Sequence[EmbedItem], outcomes: Sequence[Outcome]) -> None:
        """Compare with what the model counted; texts that were cut tell nothing."""
        whole = [
            (_bytes(item), outcome.tokens)
            for item, outcome in zip(items, outcomes, strict=True)
            if isinstance(outcome, EmbeddedText) and not outcome.truncated
        ]
        size = sum(length for length, _ in whole)
        if size < _TELLING_BYTES:
            return
        found = sum(max(tokens - _SPECIAL_TOKENS, 0) for _, tokens in whole) / size
        found = min(max(found, _LEAST), _MOST)
        name = model_name(spec)
        known = self._per_byte.get(name, found)
        self._per_byte[name] = known + _WEIGHT * (found - known)


def _tokens(item: EmbedItem, per_byte: float) -> float:
    if item.ids:
        return len(item.ids) / ID_BYTES
    return _SPECIAL_TOKENS + per_byte * _bytes(item)


def _bytes(item: EmbedItem) -> int:
    return len(item.text.encode()) + len(item.second.encode())


@dataclass(slots=True, eq=False)
class Entry:
    """The texts of one request that were not under way before it."""

    lane: Lane
    model: str
    sizes: Mapping[bytes, float]
    """Cache key -> tokens."""
    tokens: float
    open: bool = True


class Ledger:
    """Open entries and their sums. Not thread-safe; times are of the caller's clock."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[Lane, str, bytes], Entry] = {}
        self._queued: dict[Lane, dict[str, float]] = {lane: {} for lane in Lane}
        self._lost_at: list[tuple[float, int, Entry]] = []
        """Heap of open entries by the time they count as lost; the number tells equal times apart."""
        self._numbers = itertools.count()

    def fresh(self, lane: Lane, model: str, sizes: Mapping[bytes, float]) -> dict[bytes, float]:
        """The part of `sizes` that nobody waits for yet: the rest shares a flight and adds no work."""
        return {key: tokens for key, tokens in sizes.items() if (lane, model, key) not in self._under_way}

    def open(self, lane: Lane, model: str, fresh: Mapping[bytes, float], lost_at: float) -> Entry:
        """Count `fresh` until it is closed, or until `lost_at`: what is not answered by then is presumed lost."""
        entry = Entry(lane, model, fresh, sum(fresh.values()))
        for key in fresh:
            self._under_way[lane, model, key] = entry
        self._add(entry, entry.tokens)
        heapq.heappush(self._lost_at, (lost_at, next(self._numbers), entry))
        return entry

    def close(self, entry: Entry) -> None:
        """May be called again."""
        if not entry.open:
            return
        entry.open = False
        for key in entry.sizes:
            self._under_way.pop((entry.lane, entry.model, key), None)
        self._add(entry, -entry.tokens)

    def queued(self, now: float) -> dict[Lane, dict[str, float]]:
        """Lane -> model version -> tokens."""
        while self._lost_at and (self._lost_at[0][0] <= now or not self._lost_at[0][2].open):
            self.close(heapq.heappop(self._lost_at)[2])
        return {lane: dict(models) for lane, models in self._queued.items()}

    def _add(self, entry: Entry, tokens: float) -> None:
        models = self._queued[entry.lane]
        left = models.pop(entry.model, 0.0) + tokens
        if left > 1e-6:  # what remains of sums that cancel out is no token
            models[entry.model] = left


def summed(*parts: Tokens) -> dict[str, float]:
    """The sum of several counts."""
    total: dict[str, float] = {}
    for part in parts:
        for model, count in part.items():
            total[model] = total.get(model, 0.0) + count
    return total

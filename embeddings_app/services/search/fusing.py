"""Reciprocal rank fusion: two rankings become one, by places alone, since their scores do not compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RANK_CONSTANT = 60
"""So much is added to each place. The larger, the less the first places stand out; everybody uses 60."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    vector: float = 1.0
    text: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    doc_id: str
    score: float
    """1 for a document that is the first of every ranking that counts."""
    ranks: Mapping[str, int]
    """Ranking -> its place there, from 1."""


def fused(rankings: Mapping[str, Sequence[str]], weights: Mapping[str, float]) -> list[Fused]:
    """Best first; of equal scores the one that an earlier ranking has further in front. Each ranking is of ids."""
    ranks: dict[str, dict[str, int]] = {}
    for name, ranking in rankings.items():
        for place, doc_id in enumerate(ranking, 1):
            ranks.setdefault(doc_id, {})[name] = place
    most = sum(weights.values()) / (RANK_CONSTANT + 1)
    found = [
        Fused(
            doc_id=doc_id,
            score=round(sum(weights[name] / (RANK_CONSTANT + place) for name, place in places.items()) / most, 6),
            ranks=places,
        )
        for doc_id, places in ranks.items()
    ]
    return sorted(found, key=lambda one: -one.score)

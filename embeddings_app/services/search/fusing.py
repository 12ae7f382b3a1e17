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


def fused(rankings: Mapping[str, Sequence[str]], weights: Mapping[str, float], most: int | None = None) -> list[Fused]:
    """The `most` best ones, best first; of equal scores the one that an earlier ranking has further in front. Each
    ranking is of ids."""
    highest = sum(weights.values()) / (RANK_CONSTANT + 1)
    scores: dict[str, float] = {}
    for name, ranking in rankings.items():
        for place, doc_id in enumerate(ranking, 1):
            scores[doc_id] = scores.get(doc_id, 0.0) + weights[name] / (RANK_CONSTANT + place)
    rounded = [(round(score / highest, 6), doc_id) for doc_id, score in scores.items()]
    places = {name: {doc_id: place for place, doc_id in enumerate(ranking, 1)} for name, ranking in rankings.items()}
    return [
        Fused(
            doc_id=doc_id, score=score, ranks={name: there[doc_id] for name, there in places.items() if doc_id in there}
        )
        for score, doc_id in sorted(rounded, key=lambda one: -one[0])[:most]
    ]

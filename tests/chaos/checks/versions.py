"""C11 versions: an answer comes from one version of the model, the one that it names."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from tests.chaos.checks.base import Check, Evidence
from tests.chaos.client import query_of
from tests.chaos.content import text_of, vector_of
from tests.chaos.history import Kind, Operation, Outcome, Seen

_SCORE_TOLERANCE = 1e-3


class Versions(Check):
    """The version that was asked for answers, and each score is that of query and text under the version named."""

    name = "C11 versions"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation in evidence.operations:
            if operation.asked.kind is not Kind.SEARCH or operation.outcome is not Outcome.OK:
                continue
            if operation.asked.mode:
                # Words have scores of their own.
                continue
            asked, answered = operation.asked.model_version, operation.answered.model_version
            if asked and asked != answered:
                yield f"version {asked} was asked for, {answered} answered (operation {operation.number})"
            for seen in operation.answered.seen:
                expected = _score(operation, seen)
                if not seen.stale and abs(expected - seen.score) > _SCORE_TOLERANCE:
                    scores = f"{seen.score:.4f}, under version {answered} it is {expected:.4f}"
                    place = operation.place_of(seen)
                    yield f"answer mixes versions: the score of {place} is {scores} (operation {operation.number})"


def _score(operation: Operation, seen: Seen) -> float:
    version = operation.answered.model_version
    query = _vector(query_of(operation.asked), version)
    return float(np.dot(query, _vector(text_of(operation.place_of(seen), seen.text_version), version)))


@lru_cache(100_000)
def _vector(text: str, version: int) -> tuple[float, ...]:
    return tuple(vector_of(text, version))

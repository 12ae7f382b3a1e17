"""One forward pass and what comes of it: an outcome for every text, whatever happens to its neighbours."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from embedding_project.contracts.vectors import EmbeddedText, Vector
from workers.backlog import MODEL_ERROR, MODEL_UNAVAILABLE, Outcome
from workers.encoders.base import DeviceLost, Encoder, ModelAway, ModelError, Tokens
from workers.metrics import STEP_FAILURES

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def isolate(compute: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> list[Result | None]:
    """The results of `compute` in the order of `items`; None for each item that fails even alone.

    A failing call is halved until the items that cause it stand alone, so the others lose nothing but time.
    """
    if not items:
        return []
    try:
        return list(compute(items))
    except (DeviceLost, ModelAway):
        raise
    except Exception as error:  # noqa: BLE001
        # The encoder runs foreign code over foreign text: any class can come out, and its message may quote the text.
        STEP_FAILURES.inc()
        if len(items) == 1:
            logger.warning("a text could not be embedded: %s", type(error).__name__)
            return [None]
    middle = len(items) // 2
    return isolate(compute, items[:middle]) + isolate(compute, items[middle:])


def outcomes(encoder: Encoder, batch: Sequence[Tokens]) -> list[Outcome]:
    """A frame or an error code for every text of `batch`. Raises DeviceLost."""

    def encode(part: Sequence[Tokens]) -> Sequence[Vector]:
        vectors = encoder.encode(part)
        if vectors.shape != (len(part), encoder.dimension):
            raise ModelError(f"vectors of shape {vectors.shape}")
        return list(vectors)

    try:
        vectors = isolate(encode, batch)
    except ModelAway:
        return [MODEL_UNAVAILABLE] * len(batch)
    return [_outcome(vector, tokens) for vector, tokens in zip(vectors, batch, strict=True)]


def _outcome(vector: Vector | None, tokens: Tokens) -> Outcome:
    if vector is None or not np.isfinite(vector).all() or not vector.any():
        return MODEL_ERROR
    return EmbeddedText(vector, len(tokens), tokens.truncated).to_frame()

"""One forward pass and its results: a vector or nothing for each text, no matter what happens to the other texts."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from embedding_project.contracts.vectors import Vector
from embedding_project.observing.request_context import serving
from workers.backlog import Step
from workers.encoders.base import (
    PLAIN_WORD,
    DeviceLost,
    Encoder,
    ModelAway,
    ModelError,
    ReadsPairs,
    TextRefused,
    Tokens,
)
from workers.metrics import (
    PADDED_TOKENS,
    STEP_FAILURES,
    STEP_FILL,
    STEP_ITEMS,
    STEP_SECONDS,
    TOKENS,
    WAIT_SECONDS,
)
from workers.pace import Pace

_NO_FAULT_OF_A_TEXT = (DeviceLost, ModelAway, KeyboardInterrupt, SystemExit)
logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Computed:
    step: Step
    vectors: list[Vector | None]
    """In the order of the step's works; None where the model failed on the text alone."""
    away: bool = False
    """Whether the model could not be used, which is no fault of any text."""


def compute(step: Step, pace: Pace, on_call: Callable[[], None] = lambda: None) -> Computed:
    """The vectors of `step`. `on_call`: before each call of the encoder. Raises DeviceLost."""
    began = time.monotonic()
    try:
        with serving(step.origins), pace.step(step.model, step.tokens, step.cores):
            vectors = encode_each(step.encoder, [work.tokens for work in step.works], on_call)
    except ModelAway:
        return Computed(step, [None] * len(step.works), away=True)
    _count(step, began, time.monotonic() - began)
    return Computed(step, vectors)


def _count(step: Step, began: float, seconds: float) -> None:
    lane, items, cost = step.lane, len(step.works), step.cost
    STEP_SECONDS.labels(lane).observe(seconds)
    WAIT_SECONDS.labels(lane).observe(began - step.oldest)
    STEP_ITEMS.labels(lane).observe(items)
    STEP_FILL.labels(lane, "items").observe(items / step.budget.items)
    STEP_FILL.labels(lane, "tokens").observe(cost / step.budget.tokens)
    TOKENS.labels(lane).inc(step.tokens)
    PADDED_TOKENS.labels(lane).inc(cost)


def encode_each(
    encoder: Encoder, batch: Sequence[Tokens], on_call: Callable[[], None] = lambda: None
) -> list[Vector | None]:
    """A vector for every text of `batch`; None where the model gives none, or one without a direction. Raises
    DeviceLost, ModelAway."""

    def encode(part: Sequence[Tokens]) -> list[Vector | None]:
        on_call()
        vectors = encoder.encode(part)
        if vectors.shape != (len(part), encoder.dimension):
            raise ModelError(f"vectors of shape {vectors.shape}")
        # A score may be zero, and a vector must have a direction.
        directed = np.logical_or(vectors.any(axis=1), isinstance(encoder, ReadsPairs))
        sound = np.logical_and(np.isfinite(vectors).all(axis=1), directed)
        if not sound.any():
            raise ModelError("no vector has a direction")
        # Rows do not depend on each other: a bad row says nothing about the other rows.
        return [row if fine else None for row, fine in zip(vectors, sound, strict=True)]

    return isolate(encode, batch, lambda: encoder.tokenize([PLAIN_WORD]))


def isolate(
    compute: Callable[[Sequence[Item]], Sequence[Result]],
    items: Sequence[Item],
    plain: Callable[[], Sequence[Item]],
) -> list[Result | None]:
    """The results of `compute` in the order of `items`; None for each item that fails even alone. Raises ModelAway.

    It halves a failing call until the items that cause the failure are alone: other items lose only time. An item is to
    blame only if `compute` takes the `plain` item: without memory, or on a broken device, every item fails.
    """
    if not items:
        return []
    try:
        return list(compute(items))
    except _NO_FAULT_OF_A_TEXT:
        raise
    except BaseException as error:  # noqa: BLE001
        # Libraries raise any class over the text of a user, and a panic of Rust code is no Exception. The message may
        # quote the text.
        fault, refused = type(error).__name__, isinstance(error, TextRefused)
    # Not in the clause above: an exception keeps its frames, and with them the memory that ran short.
    STEP_FAILURES.inc()
    if len(items) > 1:
        middle = len(items) // 2
        return isolate(compute, items[:middle], plain) + isolate(compute, items[middle:], plain)
    if not refused:
        _vouch(compute, plain, fault)
    logger.warning("a text could not be embedded: %s", fault)
    return [None]


def _vouch(
    compute: Callable[[Sequence[Item]], Sequence[object]], plain: Callable[[], Sequence[Item]], fault: str
) -> None:
    """Raises ModelAway unless `compute` takes the plain item."""
    try:
        compute(plain())
    except _NO_FAULT_OF_A_TEXT:
        raise
    except BaseException as error:  # noqa: BLE001
        logger.warning("no text can be embedded now: %s, and %s for a plain word", fault, type(error).__name__)
        raise ModelAway(fault) from None

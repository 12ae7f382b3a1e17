"""Filling the embedding cache ahead of time: many texts through the bulk lane, a bounded number of them at once."""

import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import EMBED_BATCH_ITEMS, MAX_TEXT_BYTES
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.text import checked_text
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, EmbedOutcome, embed_texts
from embeddings_app.services.embedding.hot_texts import hottest_texts

_AT_ONCE = 4
"""Batches under way: enough to keep an embedder busy while answers travel."""
_DEADLINE_SECONDS = 60.0
_MAX_LINE_BYTES = 8 * MAX_TEXT_BYTES
"""JSON may write one byte of a text as six."""
_TRIES = 3
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    """From 1."""
    text: str
    """In normal form."""


@dataclass(frozen=True, slots=True)
class BadLine:
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Warmed:
    """What became of one batch."""

    cached: int
    """Were in the cache already."""
    embedded: int
    failed: tuple[BadLine, ...]


def read_lines(file: BinaryIO) -> Iterator[Line | BadLine]:
    """One text a line, or one JSON object with `text`; empty lines are left out."""
    for number, raw in enumerate(_bounded(file), start=1):
        try:
            text = _text(raw)
        except ValueError as error:
            yield BadLine(number, str(error))
            continue
        if text:
            yield Line(number, text)


def warm(spec: ModelSpec, input_type: InputType, lines: Iterable[Line], until: float = math.inf) -> Iterator[Warmed]:
    """Embed `lines` with the model, which keeps them in the cache; what became of each batch, in order.

    Ends at `until` (monotonic seconds), however many lines are left.
    """
    batches = _batches(lines)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # A round at a time: no more lines are read than are being embedded.
        while time.monotonic() < until and (group := list(islice(batches, _AT_ONCE))):
            yield from pool.map(lambda batch: _warm(spec, input_type, batch, until), group)


def warm_version(spec: ModelSpec, limit: int, seconds: float) -> Warmed:
    """Embed the `limit` hottest query texts of the model with this version, over the bulk lane, for about `seconds`.

    Texts that are in the cache cost a look-up; what is left can be warmed by the next call.
    """
    if spec.type is ModelType.EXTERNAL:
        return Warmed(0, 0, ())
    until, cached, embedded = time.monotonic() + seconds, 0, 0
    failed: tuple[BadLine, ...] = ()
    lines = [Line(number, text) for number, text in enumerate(hottest_texts(spec.model_id, limit), start=1)]
    for warmed in warm(spec, InputType.QUERY, lines, until):
        cached, embedded, failed = cached + warmed.cached, embedded + warmed.embedded, failed + warmed.failed
    return Warmed(cached, embedded, failed)


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    """The lines of `file`; of one that no text can need so much of, the beginning."""
    while line := file.readline(_MAX_LINE_BYTES):
        rest = line
        while len(rest) == _MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(_MAX_LINE_BYTES)
        yield line


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    remaining = iter(lines)
    while batch := list(islice(remaining, EMBED_BATCH_ITEMS)):
        yield batch


def _warm(spec: ModelSpec, input_type: InputType, batch: Sequence[Line], until: float) -> Warmed:
    outcomes: list[EmbedOutcome] = []
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        texts = [line.text for line in batch]
        outcomes = embed_texts(spec, input_type, texts, Lane.BULK, min(time.monotonic() + _DEADLINE_SECONDS, until))
        if time.monotonic() > until or not any(outcome.error in INFRASTRUCTURE_ERRORS for outcome in outcomes):
            break
    failed = tuple(
        BadLine(line.number, outcome.error) for line, outcome in zip(batch, outcomes, strict=True) if outcome.error
    )
    cached = sum(outcome.cached for outcome in outcomes)
    return Warmed(cached, len(batch) - cached - len(failed), failed)


def _text(raw: bytes) -> str:
    """The text of a line, empty for none. Raises ValueError saying what is wrong, without quoting it."""
    try:
        line = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if not line:
        return ""
    try:
        return checked_text(_text_of_object(line) if line.startswith("{") else line, "text")
    except InvalidRequest as error:
        raise ValueError(error.message) from None


def _text_of_object(line: str) -> object:
    try:
        return json.loads(line)["text"]
    except (ValueError, RecursionError):
        raise ValueError("begins like a JSON object and is none") from None
    except KeyError:
        raise ValueError("is a JSON object without a member 'text'") from None

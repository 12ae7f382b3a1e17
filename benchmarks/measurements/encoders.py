"""The encoders of an embedder and SentenceTransformer on the same texts, in turns, in one process."""

import logging
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

from benchmarks import corpus
from benchmarks.report import Figure, Goal
from embedding_project.contracts.model_spec import PACKAGED_MODEL, Runtime
from embedding_project.model_sources.model_folder import model_folder
from workers.encoders.base import Encoder, Tokens
from workers.encoders.transformer import load_transformer

_TEXTS, _STEP_TOKENS = 64, 512
_TURNS, _SHORT_TURNS = 3, 60
_FLOPS_PER_TOKEN = 6 * 2 * 12 * 384**2
"""Multiplications and additions of the linear layers."""


def measure() -> list[Figure]:
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    cpu = torch.device("cpu")
    folder = model_folder(PACKAGED_MODEL.artifact, Path("models"))
    sentence = SentenceTransformer(str(folder), device="cpu")
    plain = load_transformer(replace(PACKAGED_MODEL, runtime=Runtime.TRANSFORMERS), folder, cpu)
    packed = load_transformer(replace(PACKAGED_MODEL, runtime=Runtime.PACKED), folder, cpu)
    narrow = load_transformer(replace(PACKAGED_MODEL, runtime=Runtime.PACKED, dtype="bf16"), folder, cpu)
    texts, short = list(corpus.texts(_TEXTS)), list(corpus.short_texts(1))
    tokens = sum(map(len, plain.tokenize(texts)))
    mixed = _in_turns(
        _TURNS,
        {
            "SentenceTransformer": lambda: sentence.encode(texts, show_progress_bar=False),
            "transformers": lambda: _encode_all(plain, texts),
            "packed": lambda: _encode_all(packed, texts),
            "packed in bf16": lambda: _encode_all(narrow, texts),
        },
    )
    one = _in_turns(
        _SHORT_TURNS,
        {
            "SentenceTransformer": lambda: sentence.encode(short, show_progress_bar=False),
            "transformers": lambda: plain.encode(plain.tokenize(short)),
            "packed": lambda: packed.encode(packed.tokenize(short)),
            "packed in bf16": lambda: narrow.encode(narrow.tokenize(short)),
        },
    )
    share = tokens * _FLOPS_PER_TOKEN / mixed["packed"] / _multiply_rate()
    note = f"{_TEXTS} texts, {tokens} tokens, median of {_TURNS} turns"
    figures = [
        Figure(f"{name}, mixed texts", _TEXTS / seconds, "texts/s", note=note) for name, seconds in mixed.items()
    ]
    figures += [Figure(f"{name}, mixed texts", tokens / seconds, "tokens/s") for name, seconds in mixed.items()]
    figures += [Figure(f"{name}, one short text, p50", seconds * 1e3, "ms") for name, seconds in one.items()]
    floor, ceiling = Goal(1.0, at_least=True), Goal(0.5, at_least=False)
    return [
        *figures,
        Figure(
            "packed / SentenceTransformer, mixed",
            mixed["SentenceTransformer"] / mixed["packed"],
            "x",
            Goal(1.3, at_least=True),
        ),
        Figure("packed / transformers, mixed", mixed["transformers"] / mixed["packed"], "x", floor),
        Figure("packed / SentenceTransformer, short p50", one["packed"] / one["SentenceTransformer"], "x", ceiling),
        Figure("packed in bf16 / packed, mixed", mixed["packed"] / mixed["packed in bf16"], "x"),
        Figure("packed, share of the matrix rate", share, "", note="linear layers alone / sgemm of their widest shape"),
    ]


def _encode_all(encoder: Encoder, texts: list[str]) -> None:
    step: list[Tokens] = []
    batch = encoder.tokenize(texts)
    # As a step is planned: by length for an encoder that pads, else the oldest first.
    for tokens in sorted(batch, key=len) if encoder.padded else batch:
        longest = max(map(len, [*step, tokens]))
        cost = longest * (len(step) + 1) if encoder.padded else sum(map(len, step)) + len(tokens)
        if step and cost > _STEP_TOKENS:
            encoder.encode(step)
            step = []
        step.append(tokens)
    encoder.encode(step)


def _in_turns(turns: int, ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each way."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn:
                found[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def _multiply_rate() -> float:
    left, right = torch.rand(_STEP_TOKENS, 384), torch.rand(384, 1536)
    seconds = _in_turns(50, {"sgemm": lambda: left @ right})["sgemm"]
    return 2 * _STEP_TOKENS * 384 * 1536 / seconds

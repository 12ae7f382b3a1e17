"""/v1/embed at three times what it can do: who is accepted is served as ever, the others are told so at once.

OVERLOAD_SECONDS makes it shorter than a minute, for a first look.
"""

import os
import time
from collections.abc import Sequence

from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.latency import summarize
from benchmarks.memory import broker_mib, resident_mib
from benchmarks.open_loop import Answer, Offer, send
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.process_cpu import CpuWatch, describe
from benchmarks.report import Figure, Goal

_INPUTS = 4
_CLIENTS = 8
_WINDOWS = 4
_WINDOW_SECONDS = 4.0
_NORMAL_SHARE = 0.8
_TIMES = 3.0
_TEXTS_APART = 10_000_000
"""Numbers of texts of one offer; far more than it sends."""
_PAUSE_SECONDS = 2.0
_OK, _REFUSED = 200, 429


def measure() -> list[Figure]:
    seconds = float(os.environ.get("OVERLOAD_SECONDS", "60"))
    with own_directory() as folder, own_instance(folder) as instance:
        client = Client(instance.url)
        client.embed(["Warm up the model."])
        client.close()
        _closed(instance, 0, _WINDOW_SECONDS)
        # The best window: what other programs on the machine take away is not what the service cannot do.
        found = [_closed(instance, 1 + window, _WINDOW_SECONDS) for window in range(_WINDOWS)]
        capacity = max(map(len, found)) / _WINDOW_SECONDS
        time.sleep(_PAUSE_SECONDS)
        normal = _open(instance, 10, _NORMAL_SHARE * capacity, max(seconds / 3, 5.0))
        time.sleep(_PAUSE_SECONDS)
        # A first short overload brings all threads to life: what they need is no growth.
        _open(instance, 11, _TIMES * capacity, min(seconds / 4, 5.0))
        time.sleep(_PAUSE_SECONDS)
        before = _memory(instance)
        watch = CpuWatch(instance.var)
        overload = _open(instance, 12, _TIMES * capacity, seconds)
        cores = describe(watch.stop())
        time.sleep(_PAUSE_SECONDS)
        after = _memory(instance)
    growth = [now - then for now, then in zip(after, before, strict=True)]
    return [*_normal_figures(capacity, normal), *_overload_figures(normal, overload, seconds, cores), *_growth(growth)]


def _closed(instance: OwnInstance, offer: int, seconds: float) -> list[Answer]:
    found = send(
        Offer(
            url=instance.url,
            rate=0,
            clients=_CLIENTS,
            seconds=seconds,
            inputs=_INPUTS,
            first=offer * _TEXTS_APART,
        )
    )
    return [answer for answer in found if answer.status == _OK]


def _open(instance: OwnInstance, offer: int, rate: float, seconds: float) -> list[Answer]:
    return send(Offer(url=instance.url, rate=rate, seconds=seconds, inputs=_INPUTS, first=offer * _TEXTS_APART))


def _memory(instance: OwnInstance) -> tuple[float, float, float]:
    """MiB of api, embedder and broker."""
    return (
        resident_mib(instance.var, "api"),
        resident_mib(instance.var, "embedder-0"),
        broker_mib(instance.var),
    )


def _times(answers: Sequence[Answer], status: int) -> list[float]:
    found = [answer.milliseconds for answer in answers if answer.status == status]
    if not found:
        raise BenchmarkError(f"no request was answered {status}")
    return found


def _normal_figures(capacity: float, normal: Sequence[Answer]) -> list[Figure]:
    accepted = summarize(_times(normal, _OK))
    others = len(normal) - accepted.count
    note = f"{_NORMAL_SHARE:.0%} of that, {accepted.count} requests of {_INPUTS} short texts, {others} not accepted"
    return [
        Figure(
            "requests it can do",
            capacity,
            "requests/s",
            note=f"{_CLIENTS} clients, each waits for its answer; the best of {_WINDOWS} times",
        ),
        Figure("normal load, p50", accepted.p50_ms, "ms", note=note),
        Figure("normal load, p99", accepted.p99_ms, "ms"),
    ]


def _overload_figures(normal: Sequence[Answer], overload: Sequence[Answer], seconds: float, cores: str) -> list[Figure]:
    accepted, refused = summarize(_times(overload, _OK)), _times(overload, _REFUSED)
    usual = summarize(_times(normal, _OK))
    silent = sum(answer.status == _REFUSED and answer.retry_after < 1 for answer in overload)
    broken = [answer.status for answer in overload if answer.status not in (_OK, _REFUSED)]
    late = summarize([answer.late_ms for answer in overload])
    note = f"{_TIMES:g} times what it can do for {seconds:g} s; cores: {cores}; client late p99 {late.p99_ms:.1f} ms"
    return [
        Figure("overload, accepted", accepted.count / seconds, "requests/s", note=note),
        Figure("overload, refused with 429", len(refused) / seconds, "requests/s"),
        Figure("overload, accepted, p50", accepted.p50_ms, "ms"),
        Figure("overload, accepted, p99", accepted.p99_ms, "ms"),
        Figure("overload / normal, accepted p99", accepted.p99_ms / usual.p99_ms, "x", Goal(2.0, at_least=False)),
        Figure("overload, refused, p50", summarize(refused).p50_ms, "ms"),
        Figure("overload, slowest refusal", max(refused), "ms"),
        Figure("429 without Retry-After", silent, "answers", Goal(1, at_least=False)),
        Figure(
            "neither accepted nor refused",
            len(broken),
            "answers",
            Goal(1, at_least=False),
            note=str(sorted(set(broken))) if broken else "",
        ),
    ]


def _growth(growth: Sequence[float]) -> list[Figure]:
    names = ("api", "embedder", "broker")
    return [
        Figure(f"memory growth of the {name}", grown, "MiB", Goal(32, at_least=False))
        for name, grown in zip(names, growth, strict=True)
    ]

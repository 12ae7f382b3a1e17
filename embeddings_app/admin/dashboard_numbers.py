"""What the dashboard shows, as text and points: made here once, drawn by the page and refreshed by its script."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from embedding_project.threads.expiring import ExpiringCache
from embeddings_app.records.operations import COUNT_CAP
from embeddings_app.services.operating.service_state import (
    Queues,
    StoredState,
    WaitingWork,
    queues,
    stored_state,
    waiting_work,
)
from embeddings_app.services.operating.traffic import RouteTraffic, Span
from embeddings_app.services.operating.traffic_history import SAMPLE_SECONDS, traffic_history

UNKNOWN = "unknown"
COLLECTING = "…"
_NOW_SECONDS = 60.0
_TABLE_SECONDS = 300.0
_POINT_SAMPLES = 3
"""Each point of a chart averages over so many samples."""
_FRESH_SECONDS = 2.0
_SEARCH, _EMBED = "/v1/search", "/v1/embed"
_SHARES = (0.5, 0.95, 0.99)


def dashboard_numbers() -> dict[str, Any]:
    """Everything but the audit events, at most two seconds old; for JSON."""
    return _numbers.get(None)


def _compute() -> dict[str, Any]:
    history = traffic_history()
    last_minute = history.recent(_NOW_SECONDS)
    last_minutes = history.recent(_TABLE_SECONDS)
    return {
        "at": f"{timezone.now():%H:%M:%S}",
        "tiles": _traffic_tiles(last_minute) | state_tiles(stored_state(), waiting_work(), queues()),
        "routes": [_route_row(route) for route in last_minutes.routes()] if last_minutes else [],
        "series": _series(history.windows(_POINT_SAMPLES)),
    }


_numbers: ExpiringCache[None, dict[str, Any]] = ExpiringCache(lambda _: _compute(), _FRESH_SECONDS)


def _tile(text: str, tone: str = "") -> dict[str, str]:
    return {"text": text, "tone": tone}


def _traffic_tiles(span: Span | None) -> dict[str, dict[str, str]]:
    names = ("requests", "searches", "embeds", "texts", "cache_hits", "failures")
    if span is None:
        return {name: _tile(COLLECTING) for name in names}
    hits, failed = span.cache_hit_share(), span.failed_share()
    return {
        "requests": _tile(rate(span.per_second())),
        "searches": _tile(rate(span.per_second(_SEARCH))),
        "embeds": _tile(rate(span.per_second(_EMBED))),
        "texts": _tile(rate(span.texts_per_second())),
        "cache_hits": _tile(UNKNOWN if hits is None else f"{hits:.0%}"),
        "failures": _tile(share(failed), "bad" if failed >= 0.01 else "warn" if failed else "good"),
    }


def state_tiles(
    stored: StoredState | None, work: WaitingWork | None, lengths: Queues | None
) -> dict[str, dict[str, str]]:
    """Tiles of what the servers say; None is a server that does not answer."""
    tiles = dict.fromkeys(("pending", "quarantined", "replicas", "queued"), _tile(UNKNOWN, "bad"))
    if stored is not None:
        count = stored.replica_count
        tone = "good" if count.ready >= count.expected else "warn" if count.ready else "bad"
        tiles["replicas"] = _tile(str(count), tone)
    # Without Postgres the names of some queues are not known.
    if stored is not None and lengths is not None:
        tiles["queued"] = _tile(f"{sum(lengths.values()):,}")
    if work is not None:
        quarantined = sum(version.quarantined for version in work.versions)
        tiles["pending"] = _tile(capped(sum(version.pending for version in work.versions)))
        tiles["quarantined"] = _tile(capped(quarantined), "warn" if quarantined else "good")
    return tiles


def _route_row(route: RouteTraffic) -> list[str]:
    return [
        route.route,
        rate(route.per_second),
        milliseconds(route.p50),
        milliseconds(route.p95),
        milliseconds(route.p99),
        share(route.refused_share),
        share(route.failed_share),
    ]


def _series(windows: Sequence[Span]) -> dict[str, list[Any]]:
    """Points of the charts, oldest first; a time without searches has no latency."""
    last = windows[-1].last.at if windows else 0.0
    quantiles = [[window.quantile(_SEARCH, wanted) for window in windows] for wanted in _SHARES]
    p50, p95, p99 = ([None if value is None else round(value * 1000, 2) for value in line] for line in quantiles)
    return {
        "seconds_ago": [round((last - window.last.at) / SAMPLE_SECONDS) * int(SAMPLE_SECONDS) for window in windows],
        "requests": [round(window.per_second(), 3) for window in windows],
        "searches": [round(window.per_second(_SEARCH), 3) for window in windows],
        "embeds": [round(window.per_second(_EMBED), 3) for window in windows],
        "p50": p50,
        "p95": p95,
        "p99": p99,
    }


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.1f}"


def milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:,.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def share(part: float) -> str:
    return "0 %" if part == 0 else f"{part * 100:.1f} %" if part >= 0.001 else "< 0.1 %"


def capped(count: int) -> str:
    return f"more than {COUNT_CAP:,}" if count > COUNT_CAP else f"{count:,}"

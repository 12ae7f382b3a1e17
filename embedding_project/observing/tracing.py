"""Traces by OpenTelemetry, for those who set TRACES_URL; the only module that knows it.

Without that setting nothing of OpenTelemetry is imported, and every span is one and the same object that does nothing.
Spans are sent by a thread of the SDK from a bounded queue: a collector that is away costs spans and never a request.
Attributes name models, shards and counts, never what a user sent; of an error they name the class.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from embedding_project.config import Config, load_config
from embedding_project.contracts.origins import Origin

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

_SEND_SECONDS = 2.0
_EVERY_MS = 500
_MAX_WAITING = 2_048
_MAX_AT_ONCE = 256
_NAMESPACE = "embedding-search"
Attributes = Mapping[str, str | int | float]
_NO_SPAN: AbstractContextManager[None] = nullcontext()
logger = logging.getLogger(__name__)


def request_span(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """The span of one HTTP request, below the one that its `traceparent` header names."""
    traces = _traces()
    return traces.request_span(headers) if traces else _NO_SPAN


def describe_request(method: str, route: str, status: int) -> None:
    """Name the span of the request, which is open now, by what only its end shows."""
    traces = _traces()
    if traces:
        traces.describe_request(method, route, status)


def span(name: str, **attributes: str | int | float) -> AbstractContextManager[None]:
    """A span below the one that is open in this thread; nothing when none is, since a trace begins with a request."""
    traces = _traces()
    return traces.span(name, attributes) if traces and traces.current_traceparent() else _NO_SPAN


def record(name: str, origins: Iterable[Origin], began_ns: int, **attributes: str | int | float) -> None:
    """One finished span for each traced request among `origins`, below the span each of them named.

    `began_ns`: nanoseconds since the epoch; the spans end now.
    """
    traces = _traces()
    if traces:
        traces.record(name, origins, began_ns, attributes)


def current_traceparent() -> str:
    """The span that is open in this thread, for messages; empty without one, or when it is not sampled."""
    traces = _traces()
    return traces.current_traceparent() if traces else ""


class _Traces:
    """Sends the spans of this process."""

    def __init__(self, tracer: "Tracer") -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = tracer
        self._api = trace
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, attributes: Attributes, parent: "Context | None" = None, *, serves: bool = False
    ) -> Iterator[None]:
        kind = self._api.SpanKind.SERVER if serves else self._api.SpanKind.INTERNAL
        with self._tracer.start_as_current_span(
            # The SDK would record the message of an exception, which may quote what a user sent.
            name,
            parent,
            kind,
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            try:
                yield
            except BaseException as error:
                opened.set_attribute("error.type", type(error).__name__)
                opened.set_status(self._api.StatusCode.ERROR)
                raise

    def request_span(self, headers: Mapping[str, str]) -> AbstractContextManager[None]:
        return self.span("request", {}, self._propagator.extract(headers), serves=True)

    def describe_request(self, method: str, route: str, status: int) -> None:
        opened = self._api.get_current_span()
        opened.update_name(f"{method} {route}")
        opened.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
        if status >= 500:
            opened.set_status(self._api.StatusCode.ERROR)

    def record(self, name: str, origins: Iterable[Origin], began_ns: int, attributes: Attributes) -> None:
        ended_ns = time.time_ns()
        for origin in origins:
            if origin.traceparent:
                parent = self._propagator.extract({"traceparent": origin.traceparent})
                kind = self._api.SpanKind.CONSUMER
                self._tracer.start_span(name, parent, kind, attributes, start_time=began_ns).end(ended_ns)

    def current_traceparent(self) -> str:
        context = self._api.get_current_span().get_span_context()
        if not context.trace_flags.sampled:
            return ""
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


@cache
def _traces() -> _Traces | None:
    config = load_config()
    if not config.traces_url:
        return None
    try:
        return _Traces(_tracer(config))
    except ImportError:
        logger.error("no traces: TRACES_URL is set, and the packages of requirements/tracing.txt are missing")
        return None


def _tracer(config: Config) -> "Tracer":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    # node-s0-r1 is an instance of the service "node".
    role = config.role or "unnamed"
    resource = {
        "service.namespace": _NAMESPACE,
        "service.name": role.partition("-")[0],
        "service.instance.id": role,
    }
    # Waiting for the collector at an exit could outlast the time a role has to stop: the last spans are given up.
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(config.traces_sample)),
        resource=Resource.create(resource),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=config.traces_url, timeout=_SEND_SECONDS)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=_MAX_WAITING,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=_MAX_AT_ONCE,
        )
    )
    return provider.get_tracer(_NAMESPACE)

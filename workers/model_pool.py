"""The models of this process: each is loaded at its first request, and the least recently used one makes room for it.

Each load runs in a thread of its own, so the process can serve the other models during it.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.model_sources.model_folder import PACKAGE
from workers.encoders.base import Encoder, ModelError, ModelLoading
from workers.encoders.loading import Load
from workers.metrics import LOAD_FAILURES

MAX_MODELS = 4
MAX_LOADS = 4
"""At once. Downloads wait most of their time, and only one load reads weights."""
RETRY_LOAD_SECONDS = 10.0
SLOW_LOAD_SECONDS = 10.0
_MEBIBYTE = 1024 * 1024
logger = logging.getLogger(__name__)

_Key = tuple[object, ...]
Report = Callable[[ModelSpec, str], None]
"""Is told of a version that cannot be loaded, and why."""


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    retry_at: float


class ModelPool:
    def __init__(
        self,
        load: Load,
        capacity: int = MAX_MODELS,
        budget_bytes: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
        report: Report | None = None,
    ) -> None:
        """At most `capacity` models, whose weights take at most `budget_bytes` together; 0 for no bound on these."""
        self._load = load
        self._capacity = capacity
        self._budget_bytes = budget_bytes
        self._monotonic = monotonic
        self._report = report
        self._lock = threading.Lock()
        self._encoders: OrderedDict[_Key, Encoder] = OrderedDict()
        self._failures: dict[_Key, _Failure] = {}
        self._loads: dict[_Key, Future[Encoder]] = {}

    def get(self, spec: ModelSpec, wait_seconds: float | None = None) -> Encoder:
        """The encoder of `spec`. Raises ModelError, and for a while after it again without another try.

        With `wait_seconds`, it waits so long for a load that this call starts, and not at all for a load that runs
        already; then it raises ModelLoading.
        """
        key = _load_key(spec)
        with self._lock:
            encoder = self._encoders.get(key)
            if encoder is not None:
                self._encoders.move_to_end(key)
                return encoder
            self._refuse_recently_failed(key)
            load, wait = self._loads.get(key), wait_seconds
            if load is None:
                if len(self._loads) >= MAX_LOADS:
                    raise ModelLoading
                load = self._loads[key] = Future()
                threading.Thread(target=self._run, args=(key, spec, load), name="model-load", daemon=True).start()
            elif wait is not None:
                wait = 0.0
        try:
            return load.result(wait)
        except TimeoutError:
            raise ModelLoading from None

    def _run(self, key: _Key, spec: ModelSpec, load: Future[Encoder]) -> None:
        began = self._monotonic()
        try:
            encoder = self._loaded(spec)
        except BaseException as error:  # noqa: BLE001
            # For a damaged folder, the libraries raise any class, also some that are no Exception.
            reason = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
            with self._lock:
                failure = self._failed(key, spec, reason)
                del self._loads[key]
            if self._report:
                self._report(spec, reason)
            load.set_exception(failure)
            return
        seconds = self._monotonic() - began
        if seconds >= SLOW_LOAD_SECONDS:
            logger.warning("model %s version %d took %.0f seconds to load", spec.model_id, spec.version, seconds)
        with self._lock:
            self._failures.pop(key, None)
            self._make_room(encoder.memory_bytes)
            self._encoders[key] = encoder
            del self._loads[key]
        load.set_result(encoder)

    def _loaded(self, spec: ModelSpec) -> Encoder:
        encoder = self._load(spec)
        if 0 < self._budget_bytes < encoder.memory_bytes:
            needed, allowed = (-(-size // _MEBIBYTE) for size in (encoder.memory_bytes, self._budget_bytes))
            raise ModelError(f"it takes {needed} MiB, EMBED_MEMORY_MB allows {allowed}")
        return encoder

    def _make_room(self, needed_bytes: int) -> None:
        while self._encoders and (len(self._encoders) >= self._capacity or self._exceeded(needed_bytes)):
            self._encoders.popitem(last=False)

    def _exceeded(self, needed_bytes: int) -> bool:
        held = sum(encoder.memory_bytes for encoder in self._encoders.values())
        return 0 < self._budget_bytes < held + needed_bytes

    def _refuse_recently_failed(self, key: _Key) -> None:
        failure = self._failures.get(key)
        if failure and self._monotonic() < failure.retry_at:
            raise ModelError(failure.reason)

    def _failed(self, key: _Key, spec: ModelSpec, reason: str) -> ModelError:
        known = self._failures.get(key)
        if known is None or known.reason != reason:
            logger.error("model %s version %d cannot be loaded: %s", spec.model_id, spec.version, reason)
        LOAD_FAILURES.inc()
        self._failures[key] = _Failure(reason, self._monotonic() + RETRY_LOAD_SECONDS)
        return ModelError(reason)


def _load_key(spec: ModelSpec) -> _Key:
    # A folder may hold other weights under the next version; an installed package cannot change under a process.
    version_key = None if spec.artifact.startswith(PACKAGE) else spec.version_key
    made = spec.type, spec.artifact, spec.dimension, spec.pooling, spec.max_tokens, spec.dtype, spec.runtime
    # A draft may get another endpoint and keep its number.
    reached = spec.endpoint, spec.endpoint_model, spec.secret_name, spec.requests_per_minute
    return version_key, *made, *reached

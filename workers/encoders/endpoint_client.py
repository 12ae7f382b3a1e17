"""One request to an OpenAI-compatible endpoint, and its outcome. No retries, no redirects, no proxies."""

import base64
import email.utils
import json
import time
import weakref
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from embedding_project.contracts.vectors import Vector
from workers.encoders.base import TextRefused
from workers.encoders.bounded_http import FAULTS, BoundedTransport, ended_by
from workers.metrics import ENDPOINT_TOKENS

CONNECT_SECONDS = 2.0
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_REFUSALS = frozenset({400, 413, 422})
_OVERHEAD_BYTES = 256 * 1024
_BYTES_PER_NUMBER = 32
"""A float64 in decimal takes up to 25 characters."""


class Refused(TextRefused):
    """The endpoint does not take these texts, or its answer does not fit them."""


class Failed(Exception):
    """No answer, through no fault of the texts; the message says why."""

    def __init__(self, reason: str, *, passes: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.passes = passes
        """Whether the same request may succeed soon."""
        self.retry_after = retry_after
        """Seconds to wait, if the endpoint says so."""


class EndpointClient:
    """A pool of connections to one endpoint. It holds no key: each call passes one."""

    def __init__(self, url: str, model: str, dimension: int) -> None:
        self._url = url.rstrip("/") + "/embeddings"
        self._model = model
        self._dimension = dimension
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=60.0)
        self._http = httpx.Client(trust_env=False, follow_redirects=False, transport=BoundedTransport(limits))
        # The connections close when the pool of models drops the encoder.
        weakref.finalize(self, self._http.close)

    def embed(self, texts: Sequence[str], key: str, encoding_format: str, until: float) -> Vector:
        """Vectors of `texts`, by the monotonic time `until`. Raises Refused or Failed."""
        body = {"model": self._model, "input": list(texts), "encoding_format": encoding_format}
        headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {key}"} if key else {})}
        left = until - time.monotonic()
        if left <= 0:
            raise Failed("no time is left", passes=True)
        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        try:
            with (
                ended_by(until),
                self._http.stream("POST", self._url, json=body, headers=headers, timeout=timeout) as response,
            ):
                _check_status(response)
                answer = self._read(response, len(texts), until)
        except FAULTS as error:
            # Messages of the library may quote the request.
            raise Failed(type(error).__name__, passes=True) from None
        return _vectors(answer, len(texts), self._dimension)

    def _read(self, response: httpx.Response, texts: int, until: float) -> Any:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused("the answer is compressed, though the request forbids that")
        most = _OVERHEAD_BYTES + texts * self._dimension * _BYTES_PER_NUMBER
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > most:
                raise Refused("the answer is too large for these texts")
            if time.monotonic() > until:
                raise Failed("the answer takes too long", passes=True)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise Refused("the answer is not JSON") from None


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status in _REFUSALS:
        raise Refused(f"status {status}")
    if response.is_redirect:
        raise Failed(f"status {status}: redirects are not followed", passes=False)
    raise Failed(f"status {status}", passes=status in _RETRYABLE, retry_after=_retry_after(response))


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    try:
        return max(float(value), 0.0) if float(value) < 1e9 else None
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _vectors(answer: Any, texts: int, dimension: int) -> Vector:
    try:
        rows = sorted(answer["data"], key=lambda row: row["index"])
        if [row["index"] for row in rows] != list(range(texts)):
            raise Refused(f"{len(rows)} vectors came for {texts} texts")
        vectors = [_vector(row["embedding"]) for row in rows]
    except (LookupError, TypeError, ValueError, OverflowError):
        raise Refused("the answer is no list of embeddings") from None
    if any(vector.shape != (dimension,) for vector in vectors):
        raise Refused(f"vectors of shape {vectors[0].shape} came, the registry says {dimension} dimensions")
    _count(answer)
    return np.stack(vectors)


def _vector(embedding: Any) -> Vector:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4").astype(np.float32)
    with np.errstate(over="ignore"):
        return np.asarray([float("nan") if number is None else number for number in embedding], dtype=np.float32)


def _count(answer: Any) -> None:
    usage = answer.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    if isinstance(total, int) and total > 0:
        ENDPOINT_TOKENS.inc(total)

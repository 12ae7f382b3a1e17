"""A plain HTTP client for preparing measurements and checking answers; the load itself is made by wrk."""

import time
from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from benchmarks.errors import BenchmarkError

_HEADERS = {"Content-Type": "application/json"}
_TIMEOUT_SECONDS = 60.0

Json = dict[str, Any]


def to_body(value: object) -> bytes:
    """JSON as clients send it; numpy rows become lists of numbers."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


class Client:
    """One keep-alive connection pool to an instance. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, limits=limits)

    def close(self) -> None:
        self._http.close()

    def post(self, path: str, value: object) -> Json:
        """The answer to `value`, given as an object or as a ready body. Raises BenchmarkError."""
        body = value if isinstance(value, bytes) else to_body(value)
        return self._answer(self._http.post(path, content=body, headers=_HEADERS))

    def post_patiently(self, path: str, value: object, limit_seconds: float) -> Json:
        """The same, sent again as long as the service asks for patience. Raises BenchmarkError."""
        body, until = value if isinstance(value, bytes) else to_body(value), time.monotonic() + limit_seconds
        while True:
            response = self._http.post(path, content=body, headers=_HEADERS)
            wait = float(response.headers.get("Retry-After", 1))
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS or time.monotonic() + wait > until:
                return self._answer(response)
            time.sleep(wait)

    def put(self, path: str, value: object) -> Json:
        return self._answer(self._http.put(path, content=to_body(value), headers=_HEADERS))

    def patch(self, path: str, value: object) -> Json:
        return self._answer(self._http.patch(path, content=to_body(value), headers=_HEADERS))

    def get(self, path: str) -> Json:
        return self._answer(self._http.get(path))

    def text(self, path: str) -> str:
        """What is no JSON, such as the metrics."""
        return self._http.get(path).text

    def embed(self, texts: Sequence[str], **options: str) -> Json:
        """Embed up to 256 texts, with the default model unless told. Raises BenchmarkError when one of them failed."""
        answer = self.post("/v1/embed", {"inputs": texts, **options})
        failed = [item["error"]["code"] for item in answer["items"] if "error" in item]
        if failed:
            raise BenchmarkError(f"{len(failed)} texts were not embedded: {failed[0]}")
        return answer

    def wait_until_searchable(self, namespace: str, documents: int, limit_seconds: float) -> None:
        """Return once all `documents` of the namespace can be found. Raises BenchmarkError."""
        deadline = time.monotonic() + limit_seconds
        while (status := self.get(f"/v1/namespaces/{namespace}"))["searchable"] != documents:
            if status["count"] != documents or time.monotonic() > deadline:
                raise BenchmarkError(f"not searchable in time: {status}")
            time.sleep(0.25)

    @staticmethod
    def _answer(response: httpx.Response) -> Json:
        if not response.is_success:
            raise BenchmarkError(f"{response.request.url.path} answered {response.status_code}: {response.text[:300]}")
        answer: Json = orjson.loads(response.content)
        return answer

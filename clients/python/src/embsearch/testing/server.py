"""A double of the service, in memory, for tests of programs that use it.

    server = FakeServer()
    with server.client() as client: ...            # a Client; server.async_client() gives an AsyncClient
    server.refuse(503, "index_unavailable")        # the next request is answered so

Its answers have the form of the service's, its filters the same meaning; the same tests run against both. It does not
imitate waiting (a write can be searched at once), limits of keys and of load, and what a model finds near: texts are
near to each other when they have words in common.
"""

import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import unquote

import httpx

from embsearch.async_client import AsyncClient
from embsearch.client import Client
from embsearch.testing import document_routes, namespace_routes, text_routes
from embsearch.testing.refusals import Refusal
from embsearch.testing.reranking import rerank
from embsearch.testing.searching import search, search_batch
from embsearch.testing.state import State
from embsearch.testing.upserting import upsert

Json = dict[str, Any]
_URL = "http://embsearch.test"


class FakeServer:
    def __init__(self, *, api_key: str | None = None, model_id: str = "fake-model", dimension: int = 64) -> None:
        """`api_key`: requests need this key; without one, the double is keyless."""
        self.state = State(model_id)
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request that came."""
        self._key, self._dimension = api_key, dimension
        self._refusals: list[tuple[int, Json, dict[str, str]]] = []
        self._lock = Lock()
        self.transport = FakeTransport(self.answer)
        """Of httpx, for clients of both kinds."""

    def client(self, **options: Any) -> Client:
        """The options are those of Client."""
        return Client(_URL, **{"api_key": self._key, "transport": self.transport, **options})

    def async_client(self, **options: Any) -> AsyncClient:
        return AsyncClient(_URL, **{"api_key": self._key, "transport": self.transport, **options})

    def refuse(self, status: int, code: str, *, times: int = 1, retry_after: int = 0) -> None:
        """The next requests are answered with this error."""
        said = {"error": {"code": code, "message": "refused by the test"}}
        headers = {"Retry-After": str(retry_after)} if status in (429, 503) else {}
        self._refusals += [(status, said, headers)] * times

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append((request.method, request.url.path))
            if self._refusals:
                status, said, headers = self._refusals.pop(0)
                return httpx.Response(status, json=said, headers=headers)
            try:
                response = self._routed(request)
            except Refusal as refusal:
                response = httpx.Response(refusal.status, json={"error": refusal.error})
        response.headers["X-Request-Id"] = request.headers.get("X-Request-Id", f"fake-{len(self.requests)}")
        return response

    def _routed(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        if path == "/readyz":
            checks = {name: {"ok": True, "detail": "answers", "age_seconds": 0.0} for name in ("postgres", "shards")}
            return httpx.Response(200, json={"ready": True, "checks": checks})
        if self._key is not None and request.headers.get("Authorization") != f"Bearer {self._key}":
            raise Refusal("unauthenticated", "The key is missing or wrong.", status=401)
        if request.method == "POST" and path == "/v1/embed":
            return _embedded(text_routes.embed(_body(request), self.state.model_id, self._dimension))
        if (route := self._posts().get(path)) and request.method == "POST":
            return httpx.Response(200, json=route(_body(request)))
        if path == "/v1/models" and request.method == "GET":
            return httpx.Response(200, json=namespace_routes.models(self.state, self._dimension))
        if path.startswith("/v1/vectors/"):
            answer = namespace_routes.vector(self.state, request.method, path, request.url.params)
            return httpx.Response(200, json=answer)
        if path == "/v1/namespaces" and request.method == "GET":
            return httpx.Response(200, json=namespace_routes.listed(self.state, request.url.params))
        if path.startswith("/v1/namespaces/"):
            body = _body(request) if request.method in ("PUT", "PATCH") else {}
            status, said = namespace_routes.one(self.state, request.method, path.rpartition("/")[2], body)
            return httpx.Response(status, json=said)
        raise Refusal("not_found", "There is no such path.", status=404)

    def _posts(self) -> Mapping[str, Callable[[Json], Json]]:
        state = self.state
        return {
            "/v1/tokenize": lambda body: text_routes.tokenize(body, state.model_id),
            "/v1/rerank": rerank,
            "/v1/upsert": lambda body: upsert(state, body, self._dimension),
            "/v1/search": lambda body: search(state, body, self._dimension),
            "/v1/search/batch": lambda body: search_batch(state, body, self._dimension),
            "/v1/documents/query": lambda body: document_routes.query(state, body),
            "/v1/documents/get": lambda body: document_routes.get(state, body),
            "/v1/documents/count": lambda body: document_routes.count(state, body),
            "/v1/documents/facet": lambda body: document_routes.facet(state, body),
            "/v1/documents/update": lambda body: document_routes.update(state, body),
            "/v1/documents/delete": lambda body: document_routes.delete(state, body),
        }


class FakeTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands requests to a function."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._answer(request)


def _embedded(answer: Json | tuple[bytes, dict[str, str]]) -> httpx.Response:
    if isinstance(answer, tuple):
        content, headers = answer
        return httpx.Response(200, content=content, headers={"Content-Type": "application/octet-stream", **headers})
    return httpx.Response(200, json=answer)


def _body(request: httpx.Request) -> Json:
    try:
        body = json.loads(request.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal("invalid_json", "the body must be a JSON object")
    return body

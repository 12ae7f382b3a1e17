"""An OpenAI-compatible endpoint on loopback whose answers a test decides."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from embedding_project.contracts.vectors import Vector


@dataclass(frozen=True)
class Request:
    path: str
    key: str | None
    body: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Behaviour = Callable[[Request], Answer]


def vector_of(text: str, dimension: int) -> Vector:
    """Not zero, and another for another text."""
    return np.array([len(text), *text.encode().ljust(dimension, b"\1")[: dimension - 1]], dtype=np.float32)


def embeddings(request: Request, dimension: int, **more: object) -> Answer:
    """What a sound endpoint answers, in reverse order, which `index` tells."""
    rows = []
    for index, text in enumerate(request.body["input"]):
        vector = vector_of(text, dimension)
        wanted = request.body.get("encoding_format")
        embedding = base64.b64encode(vector.tobytes()).decode() if wanted == "base64" else vector.tolist()
        rows.append({"object": "embedding", "index": index, "embedding": embedding})
    return json_answer({"data": rows[::-1], "usage": {"prompt_tokens": 3, "total_tokens": 3}, **more})


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), named)


class FakeEndpoint:
    def __init__(self, dimension: int) -> None:
        self.requests: list[Request] = []
        self.behave: Behaviour = lambda request: embeddings(request, dimension)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = Request(self.path, self.headers.get("Authorization"), body)
                endpoint.requests.append(request)
                answer = endpoint.behave(request)
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer.content)))
                    self.end_headers()
                    self.wfile.write(answer.content)
                except OSError:
                    self.close_connection = True  # the client went away

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def in_turn(self, *behaviours: Behaviour) -> None:
        """Behave so in turn, and soundly afterwards."""
        left, sound = list(behaviours), self.behave
        self.behave = lambda request: left.pop(0)(request) if left else sound(request)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def fake_endpoint(dimension: int) -> Iterator[FakeEndpoint]:
    endpoint = FakeEndpoint(dimension)
    try:
        yield endpoint
    finally:
        endpoint.close()

"""A hub on loopback that serves one repository: what it holds, at which commit, and the files themselves."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY = "acme/tiny"
COMMIT = "0123456789abcdef" * 2 + "01234567"


class FakeHub:
    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.served: list[str] = []
        self.broken: set[str] = set()
        """Files that are listed and cannot be had."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, *, body: bool) -> None:
                path = self.path.partition("?")[0]
                found = hub.content(path)
                headers = {} if found is not None else {"X-Error-Code": "RepoNotFound"}
                content = found or b""
                if "/resolve/" in path and found is not None:
                    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
                    if body:
                        hub.served.append(path.partition(f"/resolve/{COMMIT}/")[2])
                self.send_response(404 if found is None else 200)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def content(self, path: str) -> bytes | None:
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha256(content).hexdigest()}
                for name, content in self.files.items()
            ]
            return json.dumps(entries).encode()
        if path.startswith(f"/api/models/{REPOSITORY}"):
            siblings = [{"rfilename": name} for name in self.files]
            return json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}).encode()
        _, found, name = path.partition(f"/{REPOSITORY}/resolve/{COMMIT}/")
        return self.files.get(name) if found and name not in self.broken else None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def fake_hub(files: dict[str, bytes]) -> Iterator[FakeHub]:
    hub = FakeHub(files)
    try:
        yield hub
    finally:
        hub.close()

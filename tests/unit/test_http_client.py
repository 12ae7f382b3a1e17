"""How local commands speak to the api."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

from embedding_project.config import load_config
from embeddings_app.management.http_client import ApiClient


class _HttpsOnly(BaseHTTPRequestHandler):
    """Answers like an api with HTTPS=1, which the command reaches past the proxy."""

    def do_GET(self) -> None:
        secure = self.headers.get("X-Forwarded-Proto") == "https"
        body = json.dumps({"path": self.path} if secure else {"error": {"message": "plain"}}).encode()
        self.send_response(200 if secure else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_command_past_the_proxy_is_answered_when_https_is_on() -> None:
    with HTTPServer(("127.0.0.1", 0), _HttpsOnly) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            config = replace(load_config(), host="127.0.0.1", port=server.server_port)
            assert ApiClient(config).get("/v1/models") == {"path": "/v1/models"}
        finally:
            server.shutdown()
            thread.join()

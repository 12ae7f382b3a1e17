"""`/metrics` of one process, for a role that runs where no api reads its counters: in a container of its own.

One thread answers, one request after the other, and gives each a few seconds. The role itself knows nothing of it.
"""

import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

_SECONDS = 5.0
EVERY_ADDRESS = "0.0.0.0"


def serve_metrics(port: int) -> WSGIServer:
    """Answer on every address of the machine, in the background, until the process ends."""
    server = _Server((EVERY_ADDRESS, port), _Handler)
    server.set_app(make_wsgi_app())
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


class _Server(WSGIServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off or says nothing is its own affair, and no line of the log."""


class _Handler(WSGIRequestHandler):
    timeout = _SECONDS

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Scrapes are no news."""

"""A small client of the service's own API, for commands that act as a user would."""

import http.client
import json
import time
from typing import Any

from embedding_project.config import Config

_RETRY_STATUSES = {429, 503}
_TRIES = 30
_KEY_STATUSES = {401, 403}
_KEY_HINT = " Set API_KEY to a key with the scopes search and write; 'manage.py apikey create' makes one."


class ApiError(Exception):
    """The service answered with an error, or not at all."""


class ApiClient:
    """One keep-alive connection. Answers that ask for another try get it."""

    def __init__(self, config: Config, timeout_seconds: float = 60.0) -> None:
        host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host
        self._connection = http.client.HTTPConnection(host, config.port, timeout=timeout_seconds)
        # Past the proxy, as what the proxy would say; without HTTPS=1 nobody reads it.
        self._headers = {"Content-Type": "application/json", "X-Forwarded-Proto": "https"}
        if config.api_key:
            self._headers["Authorization"] = f"Bearer {config.api_key}"

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, json.dumps(body))

    def get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path, None)

    def _call(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        status = 0
        for _ in range(_TRIES):
            try:
                self._connection.request(method, path, body, self._headers)
                response = self._connection.getresponse()
                answer: dict[str, Any] = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
                self._connection.close()
                raise ApiError(f"{method} {path}: {error}") from error
            status = response.status
            if status < 400:
                return answer
            if status not in _RETRY_STATUSES:
                hint = _KEY_HINT if status in _KEY_STATUSES else ""
                raise ApiError(f"{method} {path}: {status} {answer['error']['message']}{hint}")
            time.sleep(float(response.headers.get("Retry-After", "1")))
        raise ApiError(f"{method} {path}: still {status} after {_TRIES} tries")

"""Asks a starting instance what is still missing."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from embedding_project.config import Config

_TIMEOUT_SECONDS = 2.0
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """One answer of `/readyz`."""

    ready: bool
    missing: Mapping[str, str] = field(default_factory=dict)
    """Checks that fail, with their detail."""

    def __str__(self) -> str:
        return ", ".join(f"{name} ({detail})" if detail else name for name, detail in self.missing.items())


def local_address(host: str) -> str:
    """The address at which this machine reaches a server bound to `host`."""
    return _EVERY_ADDRESS.get(host, host)


def local_url(host: str, port: int) -> str:
    """The URL at which this machine reaches a server bound to `host`."""
    address = local_address(host)
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def public_url(config: Config) -> str:
    """The URL at which clients reach the instance: with HTTPS that of the proxy, as far as the settings tell it."""
    if not config.https:
        return local_url(config.host, config.port)
    # A name with a dot in front stands for all below it.
    named = next((host for host in config.allowed_hosts if not host.startswith((".", "*"))), "HOST-OF-THE-PROXY")
    return f"https://{named}"


def parse(status: int, body: bytes) -> Readiness:
    """Read the answer {"ready": bool, "checks": {name: {"ok": bool, "detail": str}}}."""
    try:
        answer = json.loads(body)
        missing = {
            str(name): str(check.get("detail", "")) for name, check in answer["checks"].items() if not check["ok"]
        }
        return Readiness(ready=status == http.HTTPStatus.OK and bool(answer["ready"]), missing=missing)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Readiness(ready=False, missing={"api": f"answers {status} without a list of checks"})


def probe(host: str, port: int) -> Readiness:
    """Ask once. A server that does not answer is a missing `api`."""
    connection = http.client.HTTPConnection(local_address(host), port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return parse(response.status, response.read())
    except (OSError, http.client.HTTPException):
        return Readiness(ready=False, missing={"api": "no answer yet"})
    finally:
        connection.close()

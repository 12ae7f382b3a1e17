"""Who may ask: the Host header and the bearer key.

Without a key only loopback names are answered, which keeps web pages out that a browser was led to by a forged name.
With a key the hosts of the configuration are answered too, and every path but the open ones needs the key.
Health checks are open, since probes carry no key; `/metrics` is not, since its figures tell about the load.
"""

import hashlib
import hmac
from functools import lru_cache

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from embedding_project.config import LOOPBACK_HOSTS
from embedding_project.contracts.errors import InvalidRequest, ServiceError

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/v1/docs", "/v1/openapi.json"})
_LOOPBACK = (*LOOPBACK_HOSTS, "[::1]")
_MAX_HOST_LENGTH = 255


class Access:
    def __init__(self, api_key: str) -> None:
        self._key_hash = hashlib.sha256(api_key.encode()).digest() if api_key else None

    def check(self, path: str, host: str, authorization: str) -> None:
        """Raises ServiceError when the request must not be served."""
        check_host(host, keyless=self._key_hash is None)
        if self._key_hash is not None and path not in OPEN_PATHS:
            self._check_key(authorization, self._key_hash)

    def _check_key(self, authorization: str, expected: bytes) -> None:
        scheme, _, key = authorization.partition(" ")
        # Both sides are hashes: comparing them takes the same time whatever was sent, and however long it is.
        given = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).digest()
        if not hmac.compare_digest(given, expected) or scheme.lower() != "bearer":
            raise ServiceError("unauthenticated")


def check_host(host: str, *, keyless: bool) -> None:
    """Raises ServiceError when this service does not answer to `host`."""
    if len(host) > _MAX_HOST_LENGTH:
        raise InvalidRequest("invalid_value", "not a host name", field="Host")
    malformed, loopback, allowed = _judge(host)
    if malformed:
        raise InvalidRequest("invalid_value", "not a host name", field="Host")
    if keyless and not loopback:
        raise ServiceError("forbidden_host", "without an API key only loopback host names are answered", field="Host")
    if not allowed:
        raise InvalidRequest("invalid_value", "this service does not answer to that host name", field="Host")


@lru_cache(maxsize=256)
def _judge(host: str) -> tuple[bool, bool, bool]:
    """Whether `host` is malformed, names the loopback interface, is allowed by the settings."""
    name, _ = split_domain_port(host)
    return not name, name in _LOOPBACK, validate_host(name, settings.ALLOWED_HOSTS)

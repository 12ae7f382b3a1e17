"""Who may ask: the Host header, the scheme and the key.

Without a key only loopback names are answered, which keeps web pages out that a browser was led to by a forged name.
That is over for good once a key was made. With keys the hosts of the configuration are answered too, and every path but
the open ones needs a key, or the session of a person who is signed in to the console. Health checks are open, since
probes carry no key; `/metrics` is not, since its figures tell about the load. With HTTPS on, plain HTTP reaches only
what probes ask: they come past the proxy.
"""

import hmac
from collections.abc import Callable, Mapping
from functools import lru_cache

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from embedding_project.config import LOOPBACK_HOSTS
from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embeddings_app.services.access.api_keys import key_hash
from embeddings_app.services.access.callers import KEYLESS, ROOT, Caller, KeyRing

OPEN_PATHS = frozenset({"/", "/admin", "/console", "/health", "/healthz", "/readyz", "/v1/docs", "/v1/openapi.json"})
_METRICS = "/metrics"
_LOOPBACK = (*LOOPBACK_HOSTS, "[::1]")
_MAX_HOST_LENGTH = 255


def sent_key(meta: Mapping[str, str]) -> str:
    """What the request says of its key, as an Authorization header. Clients of other services send the key alone, in a
    header of its own; it counts where there is no Authorization."""
    authorization = meta.get("HTTP_AUTHORIZATION", "")
    key = meta.get("HTTP_X_API_KEY") or meta.get("HTTP_API_KEY", "")
    return authorization or (f"Bearer {key}" if key else "")


def _nobody() -> Caller | None:
    return None


class Access:
    def __init__(self, root_key: str, keys: KeyRing, is_keyless: Callable[[], bool]) -> None:
        """`root_key` is empty when there is none; `is_keyless` tells whether the service is."""
        self._root_hash = key_hash(root_key) if root_key else None
        self._keys = keys
        self._is_keyless = is_keyless

    def caller(
        self,
        path: str,
        host: str,
        authorization: str,
        method: str = "GET",
        *,
        too_plain: bool = False,
        signed_in: Callable[[], Caller | None] = _nobody,
    ) -> Caller | None:
        """Who asks, None on the open paths. Raises ServiceError when the request must not be served. `too_plain`: it
        came over plain HTTP, which HTTPS=1 refuses. `signed_in`: the person of its session, asked where no key was
        sent."""
        # An open path may be read: to post to / is to embed.
        if path in OPEN_PATHS and method != "POST":
            check_host(host, keyless=False)
            return None
        keyless = self._is_keyless()
        check_host(host, keyless=keyless)
        if too_plain and path != _METRICS:
            raise ServiceError("https_required", "send it to https://; if a key came along, others may have read it")
        if keyless:
            return KEYLESS
        return (None if authorization else signed_in()) or self._key_holder(authorization)

    def _key_holder(self, authorization: str) -> Caller:
        scheme, _, key = authorization.partition(" ")
        key = key.strip()
        if scheme.lower() == "bearer" and key:
            # Both sides are hashes: comparing them takes the same time whatever was sent, and however long it is.
            if self._root_hash is not None and hmac.compare_digest(key_hash(key), self._root_hash):
                return ROOT
            caller = self._keys.caller(key)
            if caller is not None:
                return caller
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

"""Who calls, and what that caller may do.

A key is looked up once every few seconds a process, never once a request: what is known of it is held for
`FRESH_SECONDS`, which is how long a revoked key may still be answered. While Postgres is away, what was known lately
goes on to count for a minute.
"""

import hmac
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from django.db import Error as DatabaseError
from django.utils import timezone

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError, Unavailable
from embedding_project.threads.background import repeat_forever
from embedding_project.threads.expiring import ExpiringCache
from embedding_project.threads.turns import request_turns
from embeddings_app.database.fault_names import fault_name
from embeddings_app.models import Scope
from embeddings_app.records.api_keys import StoredKey, any_key, find_key, write_last_used
from embeddings_app.services.access.api_keys import key_hash

FRESH_SECONDS = 4.0
UNKNOWN_SECONDS = 1.0
"""How long a wrong key is remembered as wrong."""
STALE_SECONDS = 60.0
"""How long a key that was good counts while Postgres cannot be asked."""
LOOK_UPS_AT_ONCE = 4
"""Keys that a process looks up at a time. Guessing a key is hopeless; this bounds what it costs the database."""
_MAX_WAITING = 12
_LOOK_UP_WAIT_SECONDS = 2.0
_RETRY_SECONDS = 1.0
"""For how long a key that was known counts beyond its time, while one thread asks again or after it asked in vain."""
_KEYS_EXIST_SECONDS = 2.0
_WRITE_USED_SECONDS = 30.0
_MAX_HELD = 10_000
_KEY = re.compile(r"emb_([0-9a-f]{10})_[A-Za-z0-9_-]{20,100}", re.ASCII)
_NO_HASH = bytes(32)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    name: str
    """Prefix of the key, or `root` or `keyless`; of a person, the actor of the audit log."""
    scopes: frozenset[str]
    namespaces: frozenset[str] = frozenset()
    """Empty for all."""
    requests_per_second: float | None = None
    inputs_per_second: float | None = None
    decides_on_keys: bool = False
    """No made key does, whatever its scopes: it could give itself more."""

    def require(self, *scopes: str) -> None:
        """Raises ServiceError unless the caller has one of `scopes`."""
        if self.scopes.isdisjoint(scopes):
            raise ServiceError("forbidden_scope", f"the key lacks the scope {' or '.join(scopes)}")

    def require_key_rights(self) -> None:
        """Raises ServiceError unless the caller may list, make and revoke keys."""
        if not self.decides_on_keys:
            raise ServiceError("forbidden_scope", "keys are for owners who are signed in, and for the root key")

    def require_namespace(self, namespace: str) -> None:
        """Raises ServiceError, the same whether there is such a namespace or not."""
        if self.namespaces and namespace not in self.namespaces:
            raise ServiceError("forbidden_namespace", field="namespace")


_EVERYTHING = frozenset(scope.value for scope in Scope)
ROOT = Caller(name="root", scopes=_EVERYTHING, decides_on_keys=True)
KEYLESS = Caller(name="keyless", scopes=_EVERYTHING, decides_on_keys=True)


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller | None
    fresh_until: float
    usable_until: float


class KeyRing:
    """The keys this process was shown lately. Safe to use from several threads."""

    def __init__(
        self, find: Callable[[str], StoredKey | None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._find = find
        self._monotonic = monotonic
        self._known: dict[bytes, _Known] = {}
        self._used: dict[str, datetime] = {}
        self._asked: dict[bytes, Future[Caller | None]] = {}
        """Look-ups under way: threads with the same key wait for one."""
        self._lock = threading.Lock()
        self._look_ups = threading.Semaphore(LOOK_UPS_AT_ONCE)
        self._waiting = threading.Semaphore(LOOK_UPS_AT_ONCE + _MAX_WAITING)

    def caller(self, key: str) -> Caller | None:
        """Who has `key`; None when it is unknown, wrong, revoked or expired. Raises Unavailable."""
        digest = key_hash(key)
        known = self._known.get(digest)
        now = self._monotonic()
        if known and now < known.fresh_until:
            return known.caller
        mine: Future[Caller | None] = Future()
        with self._lock:
            asked = self._asked.setdefault(digest, mine)
        if asked is not mine:
            return known.caller if known and now < known.fresh_until + _RETRY_SECONDS else _answer_of(asked)
        try:
            mine.set_result(self._ask(key, digest, known, now))
        except Unavailable as error:
            mine.set_exception(error)
        except BaseException:
            mine.set_exception(Unavailable("database_unavailable"))
            raise
        finally:
            del self._asked[digest]
        return mine.result()

    def _ask(self, key: str, digest: bytes, known: _Known | None, now: float) -> Caller | None:
        try:
            with self._asking():
                caller, seconds = self._look_up(key, digest)
        except (DatabaseError, Unavailable) as error:
            if known and known.caller and now < known.usable_until:
                self._hold(digest, replace(known, fresh_until=now + _RETRY_SECONDS))
                return known.caller
            raise error if isinstance(error, Unavailable) else Unavailable("database_unavailable") from error
        self._hold(digest, _Known(caller, now + seconds, now + STALE_SECONDS))
        return caller

    def take_used(self) -> Mapping[str, datetime]:
        """Prefix -> when it was last seen, since the last call."""
        with self._lock:
            used, self._used = self._used, {}
        return used

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One of the few look-ups at a time. Raises Unavailable (overloaded)."""
        if not self._waiting.acquire(blocking=False):
            raise Unavailable("overloaded")
        try:
            with request_turns.away():
                may_ask = self._look_ups.acquire(timeout=_LOOK_UP_WAIT_SECONDS)
            if not may_ask:
                raise Unavailable("overloaded")
            try:
                yield
            finally:
                self._look_ups.release()
        finally:
            self._waiting.release()

    def _look_up(self, key: str, digest: bytes) -> tuple[Caller | None, float]:
        form = _KEY.fullmatch(key)
        stored = self._find(form[1]) if form else None
        now = timezone.now()
        # Compared even when there is nothing to compare with, so that every refusal takes the same time.
        same = hmac.compare_digest(digest, stored.key_hash if stored else _NO_HASH)
        if stored is None or not same or stored.revoked_at or (stored.expires_at and stored.expires_at <= now):
            return None, UNKNOWN_SECONDS
        with self._lock:
            self._used[stored.prefix] = now
        left = (stored.expires_at - now).total_seconds() if stored.expires_at else FRESH_SECONDS
        caller = Caller(
            name=stored.prefix,
            scopes=stored.scopes,
            namespaces=stored.namespaces,
            requests_per_second=stored.requests_per_second,
            inputs_per_second=stored.inputs_per_second,
        )
        return caller, min(FRESH_SECONDS, left)

    def _hold(self, digest: bytes, known: _Known) -> None:
        with self._lock:
            if len(self._known) >= _MAX_HELD and digest not in self._known:
                self._drop_some()
            self._known[digest] = known

    def _drop_some(self) -> None:
        """Make room: wrong keys first, since anybody can send those; all of it when that is not enough."""
        good = {digest: known for digest, known in self._known.items() if known.caller}
        self._known = good if len(good) < _MAX_HELD else {}


def _answer_of(asked: Future[Caller | None]) -> Caller | None:
    """What another thread finds. Raises Unavailable."""
    try:
        with request_turns.away():
            return asked.result(_LOOK_UP_WAIT_SECONDS)
    except TimeoutError:
        raise Unavailable("overloaded") from None


class KeysExist:
    """Whether a key was ever made, asked at most every two seconds until the answer is yes, which it stays."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._cache: ExpiringCache[None, bool] = ExpiringCache(lambda _: ask(), _KEYS_EXIST_SECONDS)
        self._last: bool | None = None

    def __call__(self) -> bool:
        """Raises Unavailable while Postgres is away and the answer was never known."""
        if not self._last:
            try:
                self._last = self._cache.get(None)
            except DatabaseError as error:
                if self._last is None:
                    raise Unavailable("database_unavailable") from error
        return self._last


class KeylessUse:
    """Whether requests are answered without a key: on loopback alone, and while there never was one."""

    def __init__(self, root_key: str, keys_exist: Callable[[], bool], *, on_loopback: bool) -> None:
        self._is_possible = on_loopback and not root_key
        self._keys_exist = keys_exist

    def __call__(self) -> bool:
        """Raises Unavailable while Postgres is away and the answer was never known."""
        return self._is_possible and not self._keys_exist()


@cache
def key_ring() -> KeyRing:
    """The keys of this process; from now on their last use is written down."""
    ring = KeyRing(find_key)

    def write() -> None:
        time.sleep(_WRITE_USED_SECONDS)
        used = ring.take_used()
        if used:
            try:
                write_last_used(used)
            except DatabaseError as error:
                logger.warning("the last use of %d keys was not written: %s", len(used), fault_name(error))

    repeat_forever("key-usage", write)
    return ring


@cache
def keys_exist() -> KeysExist:
    """Of this process."""
    return KeysExist(any_key)


@cache
def keyless_use() -> KeylessUse:
    """Of this process."""
    config = load_config()
    return KeylessUse(config.api_key, keys_exist(), on_loopback=config.on_loopback)

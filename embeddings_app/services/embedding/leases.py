"""Leases in the cache's Redis: who computes a text that is in no cache, so that the others wait instead.

A lease names its holder and ends by itself a second after it was last renewed. Lanes have leases of their own: nobody
in a hurry waits for a bulk job. Without the cache there are no leases, and everybody computes.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from embedding_project.contracts.messages import Lane
from embedding_project.vector_cache import VectorCache, value_name

LEASE_MS = 1_000
RENEW_SECONDS = 0.3
_OUTCOME_MS = 2_000
"""How long waiters can read how it ended."""
_OUTCOME = b"!"
_STORED = b"="
_CLAIM = """
local n, found = #KEYS / 2, {}
for i = 1, n do
  if redis.call('STRLEN', KEYS[n + i]) > 0 then found[i] = '='
  else found[i] = redis.call('SET', KEYS[i], ARGV[1], 'NX', 'GET', 'PX', ARGV[2]) end
end
return found
"""
_RENEW = """
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[i + 1] then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
end
"""
_END = """
local n = #KEYS
for i = 1, n do
  if redis.call('GET', KEYS[i]) == ARGV[i + 1] then
    if ARGV[n + 1 + i] == '' then redis.call('DEL', KEYS[i])
    else redis.call('SET', KEYS[i], '!' .. ARGV[n + 1 + i], 'PX', ARGV[1]) end
  end
end
"""


class FlightLeases:
    """Every call gives None, or does nothing, when the cache is away."""

    def __init__(self, cache: VectorCache) -> None:
        self._cache = cache

    def claim(self, lane: Lane, keys: Sequence[bytes], token: str) -> list[bytes | None] | None:
        """Who holds each key: None when it is `token` from now on; see `is_stored` and `outcome_in`."""
        names = [*(_name(lane, key) for key in keys), *map(value_name, keys)]
        return self._cache.attempt(
            "claim", lambda redis: cast(list[bytes | None], redis.eval(_CLAIM, len(names), *names, token, LEASE_MS))
        )

    def holders(self, flights: Sequence[tuple[Lane, bytes]]) -> list[bytes | None] | None:
        """Who holds each lease; None where nobody does."""
        names = [_name(lane, key) for lane, key in flights]
        return self._cache.attempt("look at leases", lambda redis: cast(list[bytes | None], redis.mget(names)))

    def renew(self, held: Mapping[tuple[Lane, bytes], str]) -> None:
        names = [_name(lane, key) for lane, key in held]
        self._cache.attempt("renewal", lambda redis: redis.eval(_RENEW, len(names), *names, LEASE_MS, *held.values()))

    def end(self, ended: Sequence[tuple[Lane, bytes, str, str]]) -> None:
        """Give leases back: lane, key, token, and the outcome that waiters shall read (empty: the vector is stored)."""
        names = [_name(lane, key) for lane, key, _, _ in ended]
        tokens, outcomes = [token for _, _, token, _ in ended], [outcome for *_, outcome in ended]
        self._cache.attempt(
            "release", lambda redis: redis.eval(_END, len(names), *names, _OUTCOME_MS, *tokens, *outcomes)
        )


def is_stored(holder: bytes) -> bool:
    """Whether a claim found the vector itself."""
    return holder == _STORED


def outcome_in(holder: bytes) -> str:
    """The outcome that a leader left, empty while it is at work."""
    return holder[1:].decode() if holder.startswith(_OUTCOME) else ""


def _name(lane: Lane, key: bytes) -> bytes:
    return b"l:%s:%s" % (lane[:1].encode(), key)

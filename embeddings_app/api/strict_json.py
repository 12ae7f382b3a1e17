"""JSON by orjson, and stricter where it is lenient: keys that stand twice, integers beyond 64 bits, deep nesting.

orjson refuses what is no JSON, invalid UTF-8, byte order marks, unpaired surrogates and numbers that are infinite as
float64. It keeps the last of two equal keys, makes a float of an integer beyond 64 bits, and nests 1,024 levels. The
parser of the standard library could be told to refuse those, at ten times the cost. So it is asked only when a look at
what orjson made leaves a doubt. Every step is linear in the length of the body, whatever stands in it.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import orjson

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_JSON_DEPTH, MAX_JSON_NODES

_NUMBERS = frozenset({int, float})
_LEAST_BEYOND = 2.0**63
"""An integer that became a float is at least this large."""
_LOW, _HIGH = -(2**63), 2**64
_ESCAPED_COLON = b"\\u003"
"""The beginning of one, in either case of its last digit."""
_ALL_BUT_SIGNS = bytes(byte for byte in range(256) if byte not in b"[{:")
"""What begins an object, a list, or the value of a member is left of a body without these."""
_ALL_BUT_QUOTES_AND_SIGNS = _ALL_BUT_SIGNS.replace(b'"', b"")


def strict_loads(body: bytes) -> Any:
    """The value in `body`. Raises InvalidRequest (invalid_json, invalid_number)."""
    signs = body.translate(None, _ALL_BUT_SIGNS)
    # Before there is a tree: it would take far more memory than the body.
    if len(signs) > MAX_JSON_NODES and _signs_outside_strings(body) > MAX_JSON_NODES:
        raise InvalidRequest("invalid_json", f"more than {MAX_JSON_NODES} objects, lists and members")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("invalid_json", f"the body is not JSON: {error}") from None
    tree = _Tree()
    tree.walk(value)
    if tree.has_huge_float or not _members_are_whole(body, value, tree.members, signs.count(b":")):
        json.loads(body, object_pairs_hook=_refuse_equal_keys, parse_int=_refuse_huge_integer)
    return value


def _signs_outside_strings(body: bytes) -> int:
    """How many objects, lists and members `body` has when it is JSON; else any number."""
    # Without escaped quotes, every other piece between quotes is outside of strings. Backslashes go in pairs first, so
    # that what is left of a run of them escapes what follows.
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _ALL_BUT_QUOTES_AND_SIGNS)
    return sum(map(len, bare.split(b'"')[::2]))


@dataclass(slots=True)
class _Tree:
    members: int = 0
    """Keys with a value, over all objects."""
    has_huge_float: bool = False

    def walk(self, value: Any) -> None:
        """Count, level by level. Raises InvalidRequest when there are too many levels."""
        level = [[value]]
        for _ in range(MAX_JSON_DEPTH + 1):
            level = self._below(level)
            if not level:
                return
        raise InvalidRequest("invalid_json", f"nested deeper than {MAX_JSON_DEPTH} levels")

    def _below(self, level: list[Any]) -> list[Any]:
        """The objects and lists right inside of those of `level`."""
        below = []
        for container in level:
            if type(container) is dict:
                self.members += len(container)
                items = container.values()
            elif container and type(container[0]) in _NUMBERS and self._are_numbers(container):
                continue
            else:
                items = container
            for item in items:
                kind = type(item)
                if kind is dict or kind is list:
                    below.append(item)
                elif kind is float and not -_LEAST_BEYOND < item < _LEAST_BEYOND:
                    self.has_huge_float = True
        return below

    def _are_numbers(self, items: list[Any]) -> bool:
        # The length as of a vector, which none of its numbers exceeds, from one call: a loop takes ten times as long.
        try:
            length = math.hypot(*items)
        except TypeError:
            return False
        self.has_huge_float |= length >= _LEAST_BEYOND
        return True


def _members_are_whole(body: bytes, value: object, members: int, colons: int) -> bool:
    """Whether it is plain that no member of an object was dropped on the way from `body` to `value`."""
    if colons == members:
        return True
    # Strings hold colons too. The value, written again, has as many as the body unless a member was dropped.
    return _ESCAPED_COLON not in body and orjson.dumps(value).count(b":") == colons


def _refuse_equal_keys(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) == len(pairs):
        return
    seen = set[str]()
    for key, _ in pairs:
        if key in seen:
            raise InvalidRequest("invalid_json", f"a key stands twice in one object: {key}")
        seen.add(key)


def _refuse_huge_integer(digits: str) -> int:
    if not _LOW <= (number := int(digits)) < _HIGH:
        raise InvalidRequest("invalid_number", "integers have 64 bits at most")
    return number

"""One setting: what it is when nothing is set, and how its text is read.

A kind turns text into a value. It says what is wrong to `complain` and goes on, so that all problems are found at once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)
Complain: TypeAlias = Callable[[str], None]
Kind: TypeAlias = Callable[[str, Complain], Value]
Needed: TypeAlias = Literal["", "by the service", "by every role"]
NOT_SET = "not set"
_NO_HOST = re.compile(r"/|\s|^[^\[]*:")
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Setting(Generic[Value]):
    kind: Kind[Value]
    default: str
    secret: bool
    """Whether its value may stand in a file."""
    needed: Needed
    """By whom. A kind may refuse the empty text only of a setting that is needed."""


def setting(kind: Kind[Value], default: str = "", *, secret: bool = False, needed: Needed = "") -> Value:
    """The field of a setting, typed as what `kind` reads, so that it fits no field of another type."""
    made: Value = field(metadata={"setting": Setting(kind, default, secret, needed)})
    return made


def text(value: str, _complain: Complain) -> str:
    return value


def key(least: int) -> Kind[str]:
    def read(value: str, complain: Complain) -> str:
        if len(value) < least:
            complain(f"needs at least {least} characters")
        return value

    return read


def url(*schemes: str) -> Kind[str]:
    beginnings = tuple(f"{scheme}://" for scheme in schemes)

    def read(value: str, complain: Complain) -> str:
        if not value:
            complain(NOT_SET)
        elif not value.startswith(beginnings):
            complain(f"must start with {' or '.join(beginnings)}")
        elif not _has_good_port(value):
            complain("its port is not a number from 0 to 65535")
        return value

    return read


def _has_good_port(value: str) -> bool:
    try:
        urlsplit(value).port  # noqa: B018 - reading it raises
    except ValueError:
        return False
    return True


def site(value: str, complain: Complain) -> str:
    """A web address to which paths are added."""
    return url("http", "https")(value, complain).rstrip("/")


def path(root: Path) -> Kind[Path]:
    """Relative ones count from `root`."""
    return lambda value, _complain: root / value


def whole(low: int, high: int) -> Kind[int]:
    return _within(int, "a whole number", low, high)


def number(low: float, high: float) -> Kind[float]:
    return _within(float, "a number", low, high)


def _within(parse: Callable[[str], Number], what: str, low: Number, high: Number) -> Kind[Number]:
    def read(value: str, complain: Complain) -> Number:
        try:
            found = parse(value)
        except ValueError:
            complain(f"{value!r} is not {what}")
            return low
        if not low <= found <= high:
            complain(f"{value} is not between {low} and {high}")
        return found

    return read


def choice(*choices: str) -> Kind[str]:
    def read(value: str, complain: Complain) -> str:
        if value not in choices:
            complain(f"{value!r} is not one of {', '.join(choices)}")
        return value

    return read


def flag(value: str, complain: Complain) -> bool:
    return choice("0", "1")(value, complain) == "1"


def words(value: str, _complain: Complain) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def hosts(value: str, complain: Complain) -> tuple[str, ...]:
    found = words(value, complain)
    if any(_NO_HOST.search(host) for host in found):
        complain("names or addresses alone, without scheme and port")
    return found


def networks(value: str, complain: Complain) -> tuple[str, ...]:
    found = words(value, complain)
    for network in found:
        try:
            ip_network(network)
        except ValueError:
            complain(f"{network!r} is not an address or a network such as 10.0.0.0/8")
    return found


def origins(value: str, complain: Complain) -> tuple[str, ...]:
    found = words(value, complain)
    for origin in found:
        if not _ORIGIN.fullmatch(origin):
            complain(f"{origin!r} is not an origin such as https://example.com")
    return found

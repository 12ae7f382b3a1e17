"""Which endpoints may be called: only those on the hosts that the operator lists."""

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from embedding_project.config import LOOPBACK_HOSTS

_DEFAULT_PORTS = {"https": 443, "http": 80}


def endpoint_problem(url: str, allowed_hosts: Sequence[str]) -> str:
    """Why the endpoint at base address `url` may not be called; empty when it may."""
    place = _split(url)
    if place is None or place.scheme not in _DEFAULT_PORTS or not place.hostname:
        return "the endpoint is not an address such as https://api.example.org/v1"
    if place.username is not None or place.password is not None or place.query or place.fragment:
        return "the endpoint must not hold a user, a password, a query or a fragment"
    if not any(_allows(entry, place) for entry in allowed_hosts):
        if place.scheme == "http" and any(_allows(f"http://{entry}", place) for entry in allowed_hosts):
            return f"{place.netloc} is allowed with https only; for plain HTTP list it as http://{place.netloc}"
        return f"{place.netloc} is not one of ENDPOINT_HOSTS"
    return ""


def _split(url: str) -> SplitResult | None:
    try:
        place = urlsplit(url)
        _ = place.port
    except ValueError:
        return None
    return place


def _allows(entry: str, place: SplitResult) -> bool:
    """Whether `entry`, host[:port] with or without http:// in front, allows `place`."""
    plain = entry.startswith("http://")
    allowed = _split("//" + entry.removeprefix("http://").removeprefix("https://"))
    if allowed is None or allowed.hostname != place.hostname:
        return False
    if place.scheme == "http" and not plain and place.hostname not in LOOPBACK_HOSTS:
        return False
    default = _DEFAULT_PORTS[place.scheme]
    return (allowed.port or default) == (place.port or default)

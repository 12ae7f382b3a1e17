"""Where the service is, and with which key: from arguments, else from the environment."""

import os
from dataclasses import dataclass

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An address that requests can be sent to."""

    url: str
    headers: dict[str, str]


def connection_to(url: str | None, api_key: str | None) -> Connection:
    """Arguments win over EMBSEARCH_URL and EMBSEARCH_API_KEY. Raises ValueError for what is no URL."""
    chosen = (url or os.environ.get("EMBSEARCH_URL") or DEFAULT_URL).rstrip("/")
    if not chosen.startswith(("http://", "https://")):
        raise ValueError(f"{chosen!r} is no URL; write it as {DEFAULT_URL}")
    key = api_key or os.environ.get("EMBSEARCH_API_KEY") or ""
    headers = {"User-Agent": "embsearch-python", "Content-Type": "application/json"}
    return Connection(url=chosen, headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}))

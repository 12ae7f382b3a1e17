"""Which files the API and the admin may name: those below a prefix of BULK_SOURCES. Commands may name any."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.text import storable

OBJECTS = "s3://"
_PATTERN = re.compile(r"[*?\[]")


def check_source(source: str, prefixes: Sequence[str]) -> None:
    """Raises ServiceError unless the source, as it is written, lies below one of the prefixes. Where links of its files
    lead is seen when they are listed."""
    if not prefixes:
        raise ServiceError("source_not_allowed", "BULK_SOURCES is empty: it names the places that may be read")
    if not (storable(source) and _plain(source) and any(_below(source, prefix) for prefix in prefixes)):
        raise ServiceError("source_not_allowed", "the source does not lie below a prefix of BULK_SOURCES")


def inside(path: str, prefixes: Sequence[str]) -> bool:
    """Whether a file that was found lies below one of the prefixes, wherever links lead."""
    if path.startswith(OBJECTS):
        return any(_below(path, prefix) for prefix in prefixes)
    real = Path(path).resolve()
    return any(real.is_relative_to(Path(prefix).resolve()) for prefix in prefixes if not prefix.startswith(OBJECTS))


def _plain(source: str) -> bool:
    """Whether it is absolute, and no part of it leads upwards."""
    if source.startswith(OBJECTS):
        return ".." not in source.split("/")
    return source.startswith("/") and ".." not in PurePosixPath(source).parts


def _below(source: str, prefix: str) -> bool:
    """Whether it is the prefix or lies below it; a pattern only with what stands before its first sign."""
    folder = prefix.rstrip("/")
    found = _PATTERN.search(source)
    fixed = source[: found.start()] if found else source
    return source.rstrip("/") == folder or fixed.startswith(f"{folder}/")

"""A row of the catalogue of bad input: what is sent, and the one answer to it."""

import dataclasses
import json
from collections.abc import Mapping

MIB = 1024 * 1024
JSON = {"content-type": "application/json"}
DEFAULT = "all-MiniLM-L6-v2"
EXTERNAL = "external-8"
EXTERNAL_SPACE = "bad-input-vectors"
TEXT_SPACE = "bad-input-texts"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    path: str
    status: int
    code: str
    field: str | None = None
    method: str = "POST"
    content: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: JSON)


def post(name: str, path: str, body: object, status: int, code: str, where: str | None = None) -> Case:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name=name, path=path, content=content, status=status, code=code, field=where)

"""How the double refuses what the service would refuse, with the same codes, statuses and fields."""

import binascii
import math
import struct
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

MOST_TEXT_BYTES, MOST_ITEMS, MOST_ID_BYTES = 32768, 256, 512
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}


class Refusal(Exception):
    """The request is refused."""

    def __init__(self, code: str, message: str = "", *, field: str | None = None, status: int = 400) -> None:
        super().__init__(code)
        self.status = status
        said = {"code": code, "message": message or f"refused: {code}"}
        self.error = said if field is None else {**said, "field": field}


def known_fields(body: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The body without fields that are null."""
    for name in body:
        if name not in names:
            raise Refusal("unknown_field", f"the fields are {', '.join(names)}", field=name)
    return {name: value for name, value in body.items() if value is not None}


def whole_number(body: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal("invalid_type", "must be an integer", field=name)
    if not least <= value <= most:
        raise Refusal("invalid_value", f"the value must be between {least} and {most}", field=name)
    return value


def chosen(body: Mapping[str, Any], name: str, choices: Collection[str], default: str) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise Refusal("invalid_type", "must be a string", field=name)
    if value not in choices:
        raise Refusal("invalid_value", f"one of {', '.join(choices)}", field=name)
    return value


def included(body: Mapping[str, Any], choices: Collection[str], default: Collection[str]) -> Collection[str]:
    names = body.get("include", list(default))
    for index, name in enumerate(items(names, "include", least=0)):
        if name not in choices:
            raise Refusal("invalid_value", f"one of {', '.join(choices)}", field=f"include[{index}]")
    return tuple(names)


def items(value: object, name: str, least: int = 1, most: int = MOST_ITEMS) -> list[Any]:
    if not isinstance(value, list):
        raise Refusal("invalid_type", "must be a list", field=name)
    if len(value) < least:
        raise Refusal("invalid_value", f"at least {least} items", field=name)
    if len(value) > most:
        raise Refusal("too_many_items", f"at most {most} items", field=name)
    return value


def vector(value: object, name: str, dimension: int) -> list[float]:
    """Of a list, or of base64 of little-endian float32."""
    if isinstance(value, str):
        try:
            data = binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            data = None
        if data is None or len(value) != 4 * math.ceil(len(data) / 3):
            raise Refusal("invalid_value", "must be base64 of little-endian float32", field=name)
        found = list(struct.unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4]))
        whole = len(data) % 4 == 0
    else:
        found, whole = items(value, name, least=0, most=16384), True
    if len(found) != dimension or not whole:
        raise Refusal("dimension_mismatch", f"the model has {dimension} dimensions", field=name)
    if not {float, int}.issuperset(map(type, found)):
        raise Refusal("invalid_type", "must hold numbers only", field=name)
    if not all(map(math.isfinite, found)):
        raise Refusal("invalid_number", field=name)
    if not any(found):
        raise Refusal("zero_vector", field=name)
    return found


def text(value: object, name: str) -> str:
    """In normal form."""
    if not isinstance(value, str):
        raise Refusal("invalid_type", "must be a string", field=name)
    if "\x00" in value:
        raise Refusal("invalid_text", field=name)
    normal = unicodedata.normalize("NFC", value).strip()
    if len(normal.encode(errors="replace")) > MOST_TEXT_BYTES:
        raise Refusal("text_too_long", field=name)
    if all(unicodedata.category(character) in _INVISIBLE for character in normal):
        raise Refusal("empty_input", "A text has no visible character.", field=name)
    return normal


def doc_id(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Refusal("invalid_type", "the value must be a string", field=name)
    parts_up = {".", ".."}.intersection(value.split("/"))
    if not 1 <= len(value.encode()) <= MOST_ID_BYTES or parts_up or any(c < " " for c in value):
        raise Refusal("invalid_value", f"an id has 1 to {MOST_ID_BYTES} bytes and no control characters", field=name)
    return value


def metadata(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal("invalid_type", "must be an object", field=name)
    return value

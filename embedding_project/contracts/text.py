"""The normal form of a text: the service embeds, hashes and caches exactly this form."""

import unicodedata

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_TEXT_BYTES

NORMAL_FORM_VERSION = 1
"""Part of every cache key: a change of the rules below must raise it."""

_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}


def normal_form(text: str) -> str:
    """Unicode NFC without leading and trailing white space. The same input always gives the same text."""
    return unicodedata.normalize("NFC", text).strip()


def checked_text(value: object, field: str) -> str:
    """`value` as a text in normal form. Raises InvalidRequest, which names `field`."""
    if not isinstance(value, str):
        raise InvalidRequest("invalid_type", "must be a string", field=field)
    if len(value) > MAX_TEXT_BYTES:
        raise InvalidRequest("text_too_long", field=field)
    if not storable(value):
        raise InvalidRequest("invalid_text", field=field)
    text = normal_form(value)
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise InvalidRequest("text_too_long", field=field)
    if all(unicodedata.category(character) in _INVISIBLE for character in text):
        raise InvalidRequest("empty_input", field=field)
    return text


def storable(value: str) -> bool:
    """Whether Postgres and every UTF-8 reader can hold `value`: no NUL, no unpaired surrogate."""
    if "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Cursors of listings: opaque to clients, and good for as long as anybody likes, since they only name an id."""

import base64
import binascii
import json
from dataclasses import dataclass

from embedding_project.contracts.errors import InvalidRequest

MAX_CURSOR_LENGTH = 4_096


@dataclass(frozen=True, slots=True)
class Cursor:
    doc_id: str
    """The last id of the page before."""
    descending: bool


def encode(cursor: Cursor) -> str:
    plain = json.dumps([cursor.doc_id, cursor.descending]).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Raises InvalidRequest."""
    try:
        if len(text) > MAX_CURSOR_LENGTH:
            raise ValueError("too long")
        doc_id, descending = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if type(doc_id) is not str or type(descending) is not bool or "\0" in doc_id:
            raise ValueError("not a cursor")
        doc_id.encode()
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise InvalidRequest("invalid_value", "the cursor is not one of this service", field="cursor") from error
    return Cursor(doc_id, descending)

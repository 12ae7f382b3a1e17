"""Inputs as the OpenAI API and text-embeddings-inference take them: one or many, texts or token ids."""

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_INPUT_IDS
from embedding_project.contracts.text import checked_text
from embedding_project.contracts.tokens import ID_LIMIT, pack_ids
from embeddings_app.api.requests.fields import Fields, check_length, checked_items, wrong_type

Inputs = tuple[tuple[str, ...], tuple[bytes, ...]]
"""Texts and packed token ids; one of the two is empty."""


def inputs_of(fields: Fields, name: str, limit: int) -> Inputs:
    """A string, a list of strings, a list of ids or a list of lists of ids. Raises InvalidRequest."""
    value = fields.required(name)
    if isinstance(value, str):
        return (checked_text(value, name),), ()
    if not isinstance(value, list):
        raise wrong_type("a string, a list of strings, or token ids", name)
    if value and type(value[0]) is int:
        return (), (_packed(value, name),)
    items = checked_items(value, limit, name)
    paths = [f"{name}[{index}]" for index in range(len(items))]
    if isinstance(items[0], list):
        return (), tuple(map(_packed, items, paths))
    return tuple(map(checked_text, items, paths)), ()


def _packed(value: object, field: str) -> bytes:
    if not isinstance(value, list) or not {int}.issuperset(map(type, value)):  # bool is a subclass of int
        raise wrong_type("a list of token ids", field)
    if not value:
        raise InvalidRequest("empty_input", "there is no token id", field=field)
    check_length(value, MAX_INPUT_IDS, field)
    if min(value) < 0 or max(value) >= ID_LIMIT:
        raise InvalidRequest("invalid_ids", field=field)
    return pack_ids(value)

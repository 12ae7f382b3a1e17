"""JSON schemas used by several routes."""

from typing import Any

from embedding_project.contracts.errors import ERROR_KINDS
from embedding_project.contracts.limits import (
    MAX_DOC_ID_BYTES,
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEYS,
    MAX_MODEL_ID_LENGTH,
    MAX_TEXT_BYTES,
)
from embedding_project.contracts.names import NAMESPACE_PATTERN
from embeddings_app.api.requests.names import DEFAULT_NAMESPACE, MODEL_ID_PATTERN

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}


def described(schema: Schema, description: str, **more: Any) -> Schema:
    return {**schema, "description": description, **more}


def array(items: Schema, description: str = "", **more: Any) -> Schema:
    return described({"type": "array", "items": items}, description, **more)


def record(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object with exactly these properties, all required but the `optional` ones."""
    required = [name for name in properties if name not in optional]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {**schema, "required": required} if required else schema


def component(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT = described(
    {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES},
    f"At most {MAX_TEXT_BYTES} bytes of UTF-8 with at least one visible character. Brought to NFC and trimmed.",
)
VECTOR = array(
    NUMBER,
    "As many numbers as the model has dimensions, finite as float32, not all zero. Brought to unit length.",
    minItems=1,
)
DOC_ID = described(
    {"type": "string", "minLength": 1, "maxLength": MAX_DOC_ID_BYTES},
    f"1 to {MAX_DOC_ID_BYTES} bytes of UTF-8 without control characters; compared byte by byte.",
)
NAMESPACE = described(
    {"type": "string", "pattern": NAMESPACE_PATTERN, "default": DEFAULT_NAMESPACE},
    "A set of documents searched together. It comes into being, and gets its model, by the first write.",
)
MODEL_ID = described(
    {"type": "string", "pattern": MODEL_ID_PATTERN, "maxLength": MAX_MODEL_ID_LENGTH},
    "A model of the registry; its active version answers. Left out: the model of the namespace, else the default.",
)
MODEL_VERSION = described({"type": "integer", "minimum": 1}, "Version that answered.")
REVISION = described(COUNT, "Counts the changes of the document.")
METADATA = described(
    {"type": "object", "additionalProperties": True},
    f"At most {MAX_METADATA_BYTES} bytes, {MAX_METADATA_DEPTH} levels and {MAX_METADATA_KEYS} fields. "
    "Nested objects are filtered by dotted paths.",
)
TOKEN = described(
    {"type": "string", "nullable": True},
    "Position in the index, opaque; null while a document still waits for its vector.",
)

COMPONENTS: dict[str, Schema] = {
    "Error": record(
        {
            "error": record(
                {
                    "code": described(STRING, "Stable; names the cause.", enum=sorted(ERROR_KINDS)),
                    "message": described(STRING, "For people; may change."),
                    "field": described(STRING, "Path of the offending field, such as documents[3].metadata."),
                },
                optional=("field",),
            )
        }
    ),
    "Filter": described(
        {"type": "object", "additionalProperties": True},
        'Conditions on metadata that all hold: {"lang": "en", "size": {"gte": 10, "lt": 500}}. Operators: eq, ne, in, '
        "nin, gt, gte, lt, lte, contains, exists. Combined by and, or (lists) and not. Typing is strict: 5 is not "
        '"5". At most 64 conditions, four levels deep.',
        example={"and": [{"lang": "en"}, {"not": {"size": {"gt": 500}}}]},
    ),
}

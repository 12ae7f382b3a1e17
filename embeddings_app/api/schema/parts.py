"""JSON schemas used by several routes."""

from typing import Any

from embedding_project.contracts.errors import ERROR_KINDS
from embedding_project.contracts.limits import (
    MAX_DIMENSION,
    MAX_DOC_ID_BYTES,
    MAX_INPUT_IDS,
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEYS,
    MAX_MODEL_ID_LENGTH,
    MAX_MODEL_VERSION,
    MAX_TEXT_BYTES,
)
from embedding_project.contracts.names import NAMESPACE_PATTERN
from embedding_project.contracts.tokens import ID_LIMIT
from embeddings_app.api.error_shapes import TEI_ERROR_TYPES
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


def request_body(properties: dict[str, Schema], *, optional: tuple[str, ...], **more: Any) -> Schema:
    """What a request sends: a record whose optional properties may be null, which counts as left out."""
    nullable = {name: _or_null(schema) for name, schema in properties.items() if name in optional}
    return record({**properties, **nullable}, optional=optional, **more)


def _or_null(schema: Schema) -> Schema:
    # Where a schema lists its values, OpenAPI allows null only if it is one of them.
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **values, "nullable": True}


def component(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


INPUT_TYPE = described(
    {"type": "string", "enum": ["query", "document"], "default": "document"},
    "Whether the texts are looked for or looked through; some models put a different prompt before each.",
)
DIMENSIONS = described(
    {"type": "integer", "minimum": 1, "maximum": MAX_DIMENSION},
    "Return only so many of the first components, for a model that was trained for it. Left out: all.",
)
TRUNCATE = described(
    BOOLEAN, "Whether a text longer than the model reads is cut. If not, it fails with `too_many_tokens`.", default=True
)
TEXT = described(
    {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES},
    f"At most {MAX_TEXT_BYTES} bytes of UTF-8 with at least one visible character. Brought to NFC and trimmed.",
)
IDS = array(
    {"type": "integer", "minimum": 0, "maximum": ID_LIMIT - 1},
    "Ids of the model's own vocabulary, read as they are; only where the registry allows it.",
    minItems=1,
    maxItems=MAX_INPUT_IDS,
)


def inputs(limit: int) -> Schema:
    """One text or many, or the token ids of one or of many."""
    many = {"type": "array", "minItems": 1, "maxItems": limit}
    return {"oneOf": [TEXT, {**many, "items": TEXT}, IDS, {**many, "items": IDS}]}


VECTOR = described(
    {"oneOf": [array(NUMBER, minItems=1), {"type": "string", "format": "byte", "minLength": 1}]},
    "As many numbers as the model has dimensions, finite as float32, not all zero: a list, or base64 of little-endian "
    "float32 in a string. Brought to unit length.",
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
ASKED_VERSION = described(
    {"type": "integer", "minimum": 1, "maximum": MAX_MODEL_VERSION},
    "A version of the model whose index is whole: shadow, active or standby. Left out: the active one.",
)
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

ERROR_CODE = described(STRING, "Stable; names the cause.", enum=sorted(ERROR_KINDS))

COMPONENTS: dict[str, Schema] = {
    "Error": record(
        {
            "error": record(
                {
                    "code": ERROR_CODE,
                    "message": described(STRING, "For people; may change."),
                    "field": described(STRING, "Path of the offending field, such as documents[3].metadata."),
                },
                optional=("field",),
            )
        }
    ),
    "OpenAiError": record(
        {
            "error": record(
                {
                    "message": described(STRING, "For people; begins with the offending field."),
                    "type": STRING,
                    "param": described({"type": "string", "nullable": True}, "The offending field."),
                    "code": ERROR_CODE,
                }
            )
        }
    ),
    "TeiError": record(
        {
            "error": described(STRING, "For people; begins with the offending field."),
            "error_type": described(STRING, "Kind of the cause.", enum=sorted(TEI_ERROR_TYPES)),
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

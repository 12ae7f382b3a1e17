"""Bodies of the requests that change model versions and re-embedding runs."""

from typing import Any

from embedding_project.contracts.limits import (
    MAX_ARTIFACT_LENGTH,
    MAX_DIMENSION,
    MAX_DOCUMENTS_PER_SECOND,
    MAX_MODEL_ID_LENGTH,
    MAX_REASON_LENGTH,
    MAX_TEXT_BYTES,
)
from embedding_project.contracts.model_spec import ModelType, Runtime
from embedding_project.contracts.vector_storage import VectorStorage
from embeddings_app.api.requests.fields import Fields, one_of
from embeddings_app.api.schema import parts

_SLOWEST = 0.01
_MOST_REQUESTS = 2**31 - 1
_LINE = {"type": "string", "maxLength": MAX_ARTIFACT_LENGTH}
_AS_THE_FILES_SAY = "Left out: as the files of the model say."
_OF_ENDPOINT = "Only for type openai."
_TOLD: dict[str, parts.Schema] = {
    "artifact": parts.described(_LINE, "package:<module>, hub:<org>/<name>[@revision], or a folder below MODEL_ROOT."),
    "dimension": parts.described({"type": "integer", "minimum": 1, "maximum": MAX_DIMENSION}, _AS_THE_FILES_SAY),
    "pooling": parts.described({"type": "string", "enum": ["mean", "cls", "last"]}, _AS_THE_FILES_SAY),
    "normalize": parts.described(parts.BOOLEAN, _AS_THE_FILES_SAY),
    "max_tokens": parts.described({"type": "integer", "minimum": 1, "maximum": MAX_TEXT_BYTES}, _AS_THE_FILES_SAY),
    "query_prompt": parts.described(_LINE, f"{_AS_THE_FILES_SAY} An empty string: none."),
    "document_prompt": parts.described(_LINE, f"{_AS_THE_FILES_SAY} An empty string: none."),
    "min_dimension": parts.described({"type": "integer", "minimum": 0, "maximum": MAX_DIMENSION}, _AS_THE_FILES_SAY),
    "dtype": parts.described({"type": "string", "enum": ["fp32", "fp16", "bf16"]}, "Left out: fp32."),
    "runtime": parts.described({"type": "string", "enum": [kind.value for kind in Runtime]}, "Left out: auto."),
    "storage": parts.described(
        {"type": "string", "enum": [kind.value for kind in VectorStorage]},
        "How index nodes hold its vectors in graphs. Left out: fp32.",
    ),
    "token_encoding": parts.described(
        {"type": "string", "enum": ["own"]}, "own: clients may send token ids. Left out: only texts."
    ),
    "endpoint": parts.described(_LINE, f"Base address. {_OF_ENDPOINT}"),
    "endpoint_model": parts.described({"type": "string", "maxLength": MAX_MODEL_ID_LENGTH}, _OF_ENDPOINT),
    "secret_name": parts.described({"type": "string", "maxLength": 64}, _OF_ENDPOINT),
    "requests_per_minute": parts.described(
        {"type": "integer", "minimum": 0, "maximum": _MOST_REQUESTS}, f"0 for no limit. {_OF_ENDPOINT}"
    ),
}
REGISTRATION = parts.request_body(
    {"type": {"type": "string", "enum": [kind.value for kind in ModelType]}, **_TOLD}, optional=tuple(_TOLD)
)
START = parts.request_body(
    {
        "documents_per_second": parts.described(
            {"type": "number", "minimum": _SLOWEST, "maximum": MAX_DOCUMENTS_PER_SECOND},
            "The fastest that the run may be. Left out: no limit.",
        )
    },
    optional=("documents_per_second",),
)
REASON = parts.request_body(
    {
        "reason": parts.described(
            {"type": "string", "maxLength": MAX_REASON_LENGTH}, "Why; kept in the audit log. Left out: none."
        )
    },
    optional=("reason",),
)
SWITCH = parts.request_body(
    {
        **REASON["properties"],
        "override": parts.described(
            parts.BOOLEAN, "Switch also without passing the gate; needs a reason.", default=False
        ),
    },
    optional=("reason", "override"),
)
_NOTHING = parts.record({})


def registration(body: dict[str, object]) -> dict[str, Any]:
    """Name -> value of the fields that are given. Raises InvalidRequest."""
    fields = Fields(body, REGISTRATION)
    kind = one_of(fields.required("type"), REGISTRATION["properties"]["type"]["enum"], "type")
    return {"type": kind} | {name: _value(fields, name) for name in _TOLD if name in fields}


def documents_per_second(body: dict[str, object]) -> float | None:
    """None for no limit. Raises InvalidRequest."""
    return Fields(body, START).optional_number("documents_per_second")


def reason(body: dict[str, object]) -> str:
    """Empty when none is given. Raises InvalidRequest."""
    return Fields(body, REASON).optional_string("reason") or ""


def switching(body: dict[str, object]) -> tuple[str, bool]:
    """The reason, empty when none is given, and whether to override the gate. Raises InvalidRequest."""
    fields = Fields(body, SWITCH)
    return fields.optional_string("reason") or "", fields.flag("override")


def no_fields(body: dict[str, object]) -> None:
    """Raises InvalidRequest when there is any."""
    Fields(body, _NOTHING)


def _value(fields: Fields, name: str) -> object:
    declared = _TOLD[name]
    if declared["type"] == "boolean":
        return fields.optional_flag(name)
    if declared["type"] == "integer":
        return fields.optional_integer(name)
    return fields.optional_choice(name) if "enum" in declared else fields.optional_string(name)

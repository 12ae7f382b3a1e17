"""Bodies of /v1/embeddings: those of the OpenAI API."""

import re

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import MAX_DIMENSION, MAX_OPENAI_INPUTS
from embeddings_app.api.requests.embed import Encoding
from embeddings_app.api.requests.fields import Fields, wrong_type
from embeddings_app.api.requests.inputs import inputs_of
from embeddings_app.api.requests.names import checked_model_id
from embeddings_app.services.embedding.requests import EmbedRequest

_OPTIONAL = ("encoding_format", "dimensions", "user")
_KNOWN = frozenset({"input", "model", "input_type", "truncate", *_OPTIONAL})
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


def openai_request(body: dict[str, object]) -> tuple[EmbedRequest, Encoding]:
    """Raises InvalidRequest."""
    # Clients send null for what they leave out.
    fields = Fields({name: value for name, value in body.items() if value is not None or name not in _OPTIONAL})
    fields.refuse_others(_KNOWN)
    inputs = inputs_of(fields, "input", MAX_OPENAI_INPUTS)
    model_id, version = _model(fields.required("model"))
    if not isinstance(fields.optional("user") or "", str):
        raise wrong_type("a string", "user")
    encoding = fields.choice("encoding_format", Encoding.FLOAT, (Encoding.FLOAT, Encoding.BASE64))
    request = EmbedRequest(
        model_id=model_id,
        version=version,
        texts=inputs.texts,
        ids=inputs.ids,
        input_type=InputType(fields.choice("input_type", InputType.DOCUMENT, tuple(InputType))),
        normalize=True,
        dimensions=fields.integer("dimensions", 0, 1, MAX_DIMENSION) or None,
        truncate=fields.boolean("truncate", True) is True,
    )
    return request, Encoding(encoding)


def _model(value: object) -> tuple[str, int | None]:
    """`model_id`, or `model_id@version`."""
    if not isinstance(value, str):
        raise wrong_type("a string", "model")
    name, at, version = value.partition("@")
    if at and not _VERSION.fullmatch(version):
        raise InvalidRequest("invalid_value", "what follows the @ is the number of a version", field="model")
    return checked_model_id(name, "model"), int(version) if at else None

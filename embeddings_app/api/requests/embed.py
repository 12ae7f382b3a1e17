"""Bodies of /v1/embed and /v1/tokenize."""

from dataclasses import dataclass
from enum import StrEnum

from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import MAX_DIMENSION, MAX_EMBED_INPUTS
from embedding_project.contracts.text import checked_text
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import model_id_of
from embeddings_app.services.embedding.requests import EmbedRequest

_KNOWN = frozenset({"model_id", "inputs", "normalize", "input_type", "dimensions", "encoding_format", "truncate"})
_KNOWN_TO_TOKENIZE = frozenset({"model_id", "inputs", "add_special_tokens"})


class Encoding(StrEnum):
    """How vectors are written."""

    FLOAT = "float"
    BASE64 = "base64"
    """Of little-endian float32, one string per input."""
    BINARY = "binary"
    """The body is the vectors, little-endian float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizeRequest:
    model_id: str | None
    texts: tuple[str, ...]
    """In normal form."""
    add_special_tokens: bool


def embed_request(body: dict[str, object]) -> tuple[EmbedRequest, Encoding]:
    """Raises InvalidRequest."""
    fields = Fields(body)
    fields.refuse_others(_KNOWN)
    request = EmbedRequest(
        texts=_texts(fields),
        model_id=model_id_of(fields),
        input_type=InputType(fields.choice("input_type", InputType.DOCUMENT, tuple(InputType))),
        normalize=fields.boolean("normalize", None),
        dimensions=fields.integer("dimensions", 0, 1, MAX_DIMENSION) or None,
        truncate=fields.boolean("truncate", True) is True,
    )
    return request, Encoding(fields.choice("encoding_format", Encoding.FLOAT, tuple(Encoding)))


def tokenize_request(body: dict[str, object]) -> TokenizeRequest:
    """Raises InvalidRequest."""
    fields = Fields(body)
    fields.refuse_others(_KNOWN_TO_TOKENIZE)
    return TokenizeRequest(
        texts=_texts(fields),
        model_id=model_id_of(fields),
        add_special_tokens=fields.boolean("add_special_tokens", True) is True,
    )


def _texts(fields: Fields) -> tuple[str, ...]:
    inputs = fields.items("inputs", MAX_EMBED_INPUTS)
    return tuple(checked_text(text, f"inputs[{index}]") for index, text in enumerate(inputs))

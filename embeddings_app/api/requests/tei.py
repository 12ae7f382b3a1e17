"""Bodies of /embed: those of text-embeddings-inference."""

from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import MAX_DIMENSION, MAX_EMBED_INPUTS
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.inputs import inputs_of
from embeddings_app.services.embedding.requests import EmbedRequest

_OPTIONAL = ("normalize", "truncate", "truncation_direction", "prompt_name", "dimensions")
_KNOWN = frozenset({"inputs", *_OPTIONAL})


def tei_request(body: dict[str, object]) -> EmbedRequest:
    """Raises InvalidRequest."""
    fields = Fields({name: value for name, value in body.items() if value is not None or name not in _OPTIONAL})
    fields.refuse_others(_KNOWN)
    inputs = inputs_of(fields, "inputs", MAX_EMBED_INPUTS)
    fields.choice("truncation_direction", "Right", ("Right", "right"))
    return EmbedRequest(
        model_id=None,
        texts=inputs.texts,
        ids=inputs.ids,
        input_type=InputType(fields.choice("prompt_name", InputType.DOCUMENT, tuple(InputType))),
        normalize=fields.boolean("normalize", True),
        dimensions=fields.integer("dimensions", 0, 1, MAX_DIMENSION) or None,
        truncate=fields.boolean("truncate", True) is True,
    )

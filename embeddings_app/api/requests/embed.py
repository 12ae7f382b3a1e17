"""Bodies of /v1/embed."""

from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embedding_project.contracts.text import checked_text
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import model_id_of
from embeddings_app.services.embedding import EmbedRequest

_KNOWN = frozenset({"model_id", "inputs", "normalize", "input_type"})


def embed_request(body: dict[str, object]) -> EmbedRequest:
    """Raises InvalidRequest."""
    fields = Fields(body)
    fields.refuse_others(_KNOWN)
    inputs = fields.items("inputs", MAX_EMBED_INPUTS)
    return EmbedRequest(
        model_id=model_id_of(fields),
        texts=tuple(checked_text(text, f"inputs[{index}]") for index, text in enumerate(inputs)),
        input_type=InputType(fields.choice("input_type", InputType.DOCUMENT, tuple(InputType))),
        normalize=fields.boolean("normalize", None),
    )

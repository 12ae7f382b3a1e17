"""POST /v1/tokenize"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embedding_project.contracts.text import checked_text
from embedding_project.contracts.tokens import TokenizedText
from embeddings_app.api.admission import admission
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import model_id_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.embedding.requests import text_model
from embeddings_app.services.embedding.tokenize import tokenize

_REQUEST = parts.request_body(
    {
        "inputs": parts.array(parts.TEXT, "The texts.", minItems=1, maxItems=MAX_EMBED_INPUTS),
        "model_id": parts.MODEL_ID,
        "add_special_tokens": parts.described(
            parts.BOOLEAN, "Whether to show the ids that the model adds to every text.", default=True
        ),
    },
    optional=("model_id", "add_special_tokens"),
)
_ITEM = parts.record(
    {
        "ids": parts.array(parts.COUNT, "What the model reads of the text."),
        "offsets": parts.array(
            parts.array(parts.COUNT, minItems=2, maxItems=2),
            "Of each id: its first character in the text, brought to NFC and trimmed, and the one after its last.",
        ),
        "tokens": parts.described(parts.COUNT, "Ids of the whole text, also those the model does not read."),
        "truncated": parts.described(parts.BOOLEAN, "The text has more ids than the model reads."),
    }
)
_ANSWER = parts.record(
    {"model_id": parts.STRING, "model_version": parts.MODEL_VERSION, "items": parts.array(_ITEM, "One per input.")}
)
_EXAMPLE = {
    "model_id": "all-MiniLM-L6-v2",
    "model_version": 1,
    "items": [
        {
            "ids": [101, 1037, 2417, 4419, 102],
            "offsets": [[0, 0], [0, 1], [2, 5], [6, 9], [0, 0]],
            "tokens": 5,
            "truncated": False,
        }
    ],
}


class Tokenize(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @operation(
        "tokenize",
        "Turn texts into token ids",
        tag="embed",
        description="No prompt is put before the texts. What looks like a special token is plain text.",
        body=_REQUEST,
        body_examples={"one text": {"inputs": ["a red fox"]}},
        answers=[Answer(_ANSWER, "The tokens.", {"one text": _EXAMPLE})],
        errors=[*errors.GUARDED, *errors.BODY, *errors.TEXT, *errors.MODEL, *errors.EMBEDDING, "no_tokenizer"],
    )
    def post(self, request: Request) -> Response:
        model_id, texts, special = tokenize_request(json_object(request))
        with self.admitted(request, inputs=len(texts), places=admission().embeds):
            spec = text_model(model_id)
            tokenized = tokenize(spec, texts)
        items = [_tokens(text, special=special) for text in tokenized]
        return Response({"model_id": spec.model_id, "model_version": spec.version, "items": items})


def tokenize_request(body: dict[str, object]) -> tuple[str | None, list[str], bool]:
    """Model, texts in normal form, and whether to show the ids that the model adds. Raises InvalidRequest."""
    fields = Fields(body, _REQUEST)
    texts = [checked_text(text, f"inputs[{index}]") for index, text in enumerate(fields.items("inputs"))]
    return model_id_of(fields), texts, fields.flag("add_special_tokens")


def _tokens(text: TokenizedText, *, special: bool) -> dict[str, Any]:
    kept = [at for at, added in enumerate(text.special) if special or not added]
    return {
        "ids": [text.ids[at] for at in kept],
        "offsets": [text.offsets[at] for at in kept],
        "tokens": text.tokens - (0 if special else sum(text.special)),
        "truncated": text.truncated,
    }

"""POST /v1/tokenize"""

from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embeddings_app.api.schema import errors
from embeddings_app.api.schema.parts import (
    BOOLEAN,
    COUNT,
    MODEL_ID,
    MODEL_VERSION,
    STRING,
    TEXT,
    array,
    described,
    record,
)

_REQUEST = record(
    {
        "inputs": array(TEXT, "The texts.", minItems=1, maxItems=MAX_EMBED_INPUTS),
        "model_id": MODEL_ID,
        "add_special_tokens": described(
            BOOLEAN, "Whether to show the ids that the model adds to every text.", default=True
        ),
    },
    optional=("model_id", "add_special_tokens"),
)
_ITEM = record(
    {
        "ids": array(COUNT, "What the model reads of the text."),
        "offsets": array(
            array(COUNT, minItems=2, maxItems=2),
            "Of each id: its first character in the text, brought to NFC and trimmed, and the one after its last.",
        ),
        "tokens": described(COUNT, "Ids of the whole text, also those the model does not read."),
        "truncated": described(BOOLEAN, "The text has more ids than the model reads."),
    }
)

TOKENIZE = extend_schema(
    operation_id="tokenize",
    summary="Turn texts into token ids",
    description="No prompt is put before the texts. What looks like a special token is plain text.",
    tags=["embed"],
    parameters=[errors.RETRY_AFTER, errors.REQUEST_ID],
    request={
        "application/json": OpenApiRequest(
            _REQUEST, examples=[OpenApiExample("one text", value={"inputs": ["a red fox"]})]
        )
    },
    responses={
        200: OpenApiResponse(
            record({"model_id": STRING, "model_version": MODEL_VERSION, "items": array(_ITEM, "One per input.")}),
            description="The tokens.",
            examples=[
                OpenApiExample(
                    "one text",
                    value={
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
                    },
                )
            ],
        ),
        **errors.error_answers(
            *errors.GUARDED, *errors.BODY, *errors.TEXT, *errors.MODEL, *errors.EMBEDDING, "no_tokenizer"
        ),
    },
)

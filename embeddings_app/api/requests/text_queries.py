"""What of a search asks for words: a text, or its parts by what they must do."""

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_TEXT_QUERY_LENGTH, MAX_TEXT_QUERY_PARTS
from embedding_project.contracts.text import checked_text
from embeddings_app.api.requests.fields import Fields, checked_items
from embeddings_app.api.schema import parts
from embeddings_app.services.search.fusing import Weights
from embeddings_app.services.search.text_query import Mode, TextAsked

_MATCHES = ["any", "all"]
_PART = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_QUERY_LENGTH}
_WEIGHT = {"type": "number", "minimum": 0, "maximum": 1_000, "default": 1}


def _parts(description: str) -> parts.Schema:
    return parts.array(_PART, description, minItems=1, maxItems=MAX_TEXT_QUERY_PARTS)


TEXT_QUERY = parts.request_body(
    {
        "words": parts.described(parts.TEXT, "The more of them a document has, and the rarer they are, the better."),
        "match": parts.described(
            {"type": "string", "enum": _MATCHES, "default": "any"}, "all: each of the words must be there."
        ),
        "phrases": _parts("Words that must stand side by side."),
        "prefixes": _parts("Each must begin a word."),
        "exact": _parts("Each must stand in the text as it is, but for capitals, and not within a longer word."),
        "without": parts.described(parts.TEXT, "None of these words may be there."),
    },
    optional=("words", "match", "phrases", "prefixes", "exact", "without"),
)
_WEIGHTS = parts.request_body({"vector": _WEIGHT, "text": _WEIGHT}, optional=("vector", "text"))
MODE_OPTIONS = {
    "mode": parts.described(
        {"type": "string", "enum": [mode.value for mode in Mode], "default": Mode.VECTOR.value},
        "By meaning, by words, or by both, whose rankings are then fused. Words need a namespace with text search.",
    ),
    "text_query": {
        "oneOf": [parts.TEXT, TEXT_QUERY],
        "description": "What to look for by words. Left out: the words of `query`.",
    },
    "weights": parts.described(_WEIGHTS, "Of the two rankings, in mode hybrid."),
    "highlight": parts.described(parts.BOOLEAN, "Pieces of the texts, with the words marked.", default=False),
}


def mode_of(fields: Fields) -> Mode:
    """Raises InvalidRequest when a field does not belong to the mode."""
    mode = Mode(fields.choice("mode"))
    refused = {
        Mode.VECTOR: ("text_query", "weights", "highlight"),
        Mode.TEXT: ("vector", "like", "unlike", "weights", "mmr", "min_score", "exact", "ef_search"),
        Mode.HYBRID: ("mmr",),
    }
    for name in refused[mode]:
        if name in fields:
            raise InvalidRequest("invalid_value", f"a search in mode {mode} has no {name}", field=name)
    return mode


def text_asked(fields: Fields, mode: Mode) -> TextAsked | None:
    """None in mode vector. Raises InvalidRequest."""
    if mode is Mode.VECTOR:
        return None
    if "text_query" not in fields:
        return TextAsked(words=checked_text(fields.required("query"), "query"))
    value = fields.optional("text_query")
    if mode is Mode.TEXT and "query" in fields:
        raise InvalidRequest("invalid_value", "a search in mode text has a query or a text_query", field="text_query")
    if isinstance(value, str):
        return TextAsked(words=checked_text(value, "text_query"))
    asked = Fields(value, TEXT_QUERY, "text_query")
    found = TextAsked(
        words=_text(asked, "words"),
        all_words=asked.choice("match") == "all",
        phrases=_texts(asked, "phrases"),
        prefixes=_texts(asked, "prefixes"),
        exact=_texts(asked, "exact"),
        without=_text(asked, "without"),
    )
    if not (found.words or found.phrases or found.prefixes or found.exact):
        message = "a text query has words, phrases, prefixes or exact: one of them at least"
        raise InvalidRequest("missing_field", message, field="text_query.words")
    return found


def weights_of(fields: Fields) -> Weights:
    """Raises InvalidRequest."""
    given = Fields(fields.optional("weights") if "weights" in fields else {}, _WEIGHTS, "weights")
    vector, text = given.optional_number("vector"), given.optional_number("text")
    weights = Weights(vector=1.0 if vector is None else vector, text=1.0 if text is None else text)
    if not weights.vector + weights.text:
        raise InvalidRequest("invalid_value", "one of the weights must be above 0", field="weights")
    return weights


def _text(asked: Fields, name: str) -> str:
    return checked_text(asked.required(name), asked.path(name)) if name in asked else ""


def _texts(asked: Fields, name: str) -> tuple[str, ...]:
    if name not in asked:
        return ()
    items = checked_items(asked.required(name), MAX_TEXT_QUERY_PARTS, asked.path(name))
    return tuple(_part(item, f"{asked.path(name)}[{index}]") for index, item in enumerate(items))


def _part(value: object, path: str) -> str:
    text = checked_text(value, path)
    if len(text) > MAX_TEXT_QUERY_LENGTH:
        raise InvalidRequest("invalid_value", f"at most {MAX_TEXT_QUERY_LENGTH} characters are allowed", field=path)
    return text

"""The routes of the double for texts and vectors."""

import math
from typing import Any

from embsearch.testing import refusals
from embsearch.testing.embedding import MOST_TOKENS, embedded, plain, token_id, words
from embsearch.testing.refusals import Refusal
from embsearch.vectors import base64_of

Json = dict[str, Any]
_EMBED = ("inputs", "model_id", "model_version", "input_type", "normalize", "dimensions", "encoding_format", "truncate")


def embed(body: Json, model_id: str, dimension: int) -> Json | tuple[bytes, dict[str, str]]:
    """A body of JSON; or plain float32, and the headers that say the rest."""
    asked = refusals.known_fields(body, _EMBED)
    encoding = refusals.chosen(asked, "encoding_format", ("float", "base64", "binary"), "float")
    refusals.chosen(asked, "input_type", ("document", "query"), "document")
    _check_model(asked, model_id)
    inputs = refusals.items(asked.get("inputs"), "inputs")
    items = [_item(text, number) for number, text in enumerate(inputs)]
    failed = {number: item["error"] for number, item in enumerate(items) if "error" in item}
    if len(failed) == len(items):
        raise Refusal(failed[0]["code"], failed[0]["message"], field="inputs[0]")
    rows = [None if number in failed else embedded(text, dimension) for number, text in enumerate(inputs)]
    tokens = sum(item["tokens"] for item in items)
    if encoding == "binary":
        content = b"".join(plain(row or [math.nan] * dimension) for row in rows)
        return content, {
            "X-Model-Id": model_id,
            "X-Model-Version": "1",
            "X-Dimension": str(dimension),
            "X-Count": str(len(rows)),
            "X-Tokens": str(tokens),
            "X-Failed": ",".join(f"{number}:{error['code']}" for number, error in failed.items()),
        }
    return {
        "model_id": model_id,
        "model_version": 1,
        "dimension": dimension,
        "embeddings": [row and base64_of(row) for row in rows] if encoding == "base64" else rows,
        "items": items,
        "usage": {"inputs": len(rows), "tokens": tokens},
    }


def _item(text: object, number: int) -> Json:
    try:
        tokens = len(words(refusals.text(text, f"inputs[{number}]"))) + 2
    except Refusal as refusal:
        if refusal.error["code"] == "invalid_type":
            raise
        error = {name: value for name, value in refusal.error.items() if name != "field"}
        return {"cached": False, "truncated": False, "tokens": 0, "error": error}
    return {"cached": False, "truncated": tokens > MOST_TOKENS, "tokens": tokens}


def tokenize(body: Json, model_id: str) -> Json:
    asked = refusals.known_fields(body, ("inputs", "model_id", "add_special_tokens"))
    _check_model(asked, model_id)
    inputs = refusals.items(asked.get("inputs"), "inputs")
    special = asked.get("add_special_tokens", True)
    shown = [_tokens(refusals.text(text, f"inputs[{number}]"), special) for number, text in enumerate(inputs)]
    return {"model_id": model_id, "model_version": 1, "items": shown}


def _tokens(text: str, special: bool) -> Json:
    ids, offsets, place = list[int](), list[tuple[int, int]](), 0
    for word in words(text):
        place = text.lower().find(word, place)
        ids.append(token_id(word))
        offsets.append((place, place + len(word)))
        place += len(word)
    if special:
        ids, offsets = [101, *ids, 102], [(0, 0), *offsets, (0, 0)]
    truncated = len(ids) > MOST_TOKENS
    return {"ids": ids[:MOST_TOKENS], "offsets": offsets[:MOST_TOKENS], "tokens": len(ids), "truncated": truncated}


def _check_model(asked: Json, model_id: str) -> None:
    if asked.get("model_id", model_id) != model_id:
        raise Refusal("unknown_model", field="model_id", status=404)

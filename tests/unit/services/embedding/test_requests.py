"""How vectors are handed out: cut, brought to unit length, and with a row for every input."""

from collections.abc import Callable

import numpy as np
import pytest

from embedding_project.contracts.errors import InvalidRequest, Unavailable
from embeddings_app.api.embed_answers import Encoding
from embeddings_app.api.routes.embed import binary_answer, embed_answer, with_refused
from embeddings_app.api.routes.openai import openai_answer
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.embedding.requests import EmbedResult, _handed_out
from tests.specs import SPEC


def outcome(*numbers: float, error: str | None = None) -> EmbedOutcome:
    vector = None if error else np.array(numbers, dtype=np.float32)
    return EmbedOutcome(vector=vector, tokens=3, truncated=error == "too_many_tokens", cached=False, error=error)


def result(*outcomes: EmbedOutcome) -> EmbedResult:
    vectors = _handed_out(outcomes, 3, 2, normalize=True)
    return EmbedResult(model=SPEC, outcomes=outcomes, vectors=vectors)


def test_a_cut_vector_is_of_unit_length_again_only_when_asked() -> None:
    outcomes = [outcome(3, 4, 12), outcome(error="model_error")]
    unit = _handed_out(outcomes, 3, 2, normalize=True)
    assert np.allclose(unit[0], [0.6, 0.8])
    assert np.isnan(unit[1]).all()
    assert (_handed_out(outcomes, 3, 2, normalize=False)[0] == [3, 4]).all()


def test_every_failed_input_can_be_seen_in_every_encoding() -> None:
    mixed = result(outcome(3, 4, 0), outcome(error="too_many_tokens"), outcome(error="model_error"))
    for encoding in (Encoding.FLOAT, Encoding.BASE64):
        answer = embed_answer(mixed, encoding)
        assert [vector is None for vector in answer["embeddings"]] == [False, True, True]
        assert [item.get("error", {}).get("code") for item in answer["items"]] == [
            None,
            "too_many_tokens",
            "model_error",
        ]
    binary = binary_answer(mixed)
    assert binary.headers["X-Failed"] == "1:too_many_tokens,2:model_error"
    assert binary.headers["X-Truncated"] == "1"
    assert np.isnan(np.frombuffer(binary.content, "<f4").reshape(3, 2)).tolist() == [
        [False] * 2,
        [True] * 2,
        [True] * 2,
    ]


@pytest.mark.parametrize(("code", "kind"), [("too_many_tokens", InvalidRequest), ("model_error", Unavailable)])
@pytest.mark.parametrize("answer", [lambda failed: embed_answer(failed, Encoding.FLOAT), binary_answer])
def test_when_every_input_fails_the_request_does(
    code: str, kind: type[Exception], answer: Callable[[EmbedResult], object]
) -> None:
    with pytest.raises(kind) as caught:
        answer(result(outcome(error=code), outcome(error="empty_input")))
    assert "inputs[0]" in f"{getattr(caught.value, 'field', '')} {caught.value}"


def test_texts_that_were_refused_keep_their_places_among_the_others() -> None:
    refused = {0: "empty_input", 2: "invalid_text", 4: "text_too_long"}
    whole = with_refused(result(outcome(3, 4, 0), outcome(4, 3, 0)), refused)
    assert [outcome.error for outcome in whole.outcomes] == ["empty_input", None, "invalid_text", None, "text_too_long"]
    assert np.isnan(whole.vectors[[0, 2, 4]]).all()
    assert np.allclose(whole.vectors[[1, 3]], [[0.6, 0.8], [0.8, 0.6]])
    assert whole.vectors.dtype == np.float32


@pytest.mark.parametrize(("code", "kind"), [("too_many_tokens", InvalidRequest), ("model_error", Unavailable)])
def test_where_one_failure_fails_all_the_input_is_named(code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        openai_answer(result(outcome(3, 4, 0), outcome(error=code)), Encoding.FLOAT)
    error = caught.value
    assert "input[1]" in f"{getattr(error, 'field', '')} {error}"

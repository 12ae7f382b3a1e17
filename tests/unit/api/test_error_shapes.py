"""The form of an error is the one that the clients of its route read."""

import pytest

from embedding_project.contracts.errors import ERROR_KINDS, InvalidRequest, ServiceError
from embeddings_app.api.error_shapes import error_body

TEI = {
    "text_too_long": "Validation",
    "too_many_tokens": "Validation",
    "no_tokenizer": "Tokenizer",
    "overloaded": "Overloaded",
    "internal_error": "Backend",
    "model_error": "Backend",
    "embedder_unavailable": "Unhealthy",
}
"""As `ErrorType` of text-embeddings-inference is written in its answers."""
OPENAI = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


@pytest.mark.parametrize("code", sorted(ERROR_KINDS))
def test_every_code_has_an_openai_type(code: str) -> None:
    error = error_body(ServiceError(code), "/v1/embeddings")["error"]
    status = ERROR_KINDS[code].status
    expected = OPENAI.get(status, "invalid_request_error") if status < 500 else "server_error"
    assert error == {"message": ERROR_KINDS[code].meaning, "type": expected, "param": None, "code": code}


def test_the_openai_form_calls_the_model_as_its_clients_do() -> None:
    error = error_body(ServiceError("unknown_model", "not there", field="model_id"), "/v1/embeddings")["error"]
    assert (error["param"], error["message"]) == ("model", "model: not there")


@pytest.mark.parametrize("path", ["/", "/embed", "/info", "/health"])
def test_the_tei_form_has_a_kind_in_place_of_a_code(path: str) -> None:
    assert error_body(InvalidRequest("empty_input", "empty", field="inputs[1]"), path) == {
        "error": "inputs[1]: empty",
        "error_type": "Empty",
    }
    kinds = {code: error_body(ServiceError(code), path)["error_type"] for code in TEI}
    assert kinds == TEI


@pytest.mark.parametrize(("path", "place"), [("/embed", "inputs"), ("/v1/embeddings", "input")])
def test_the_inputs_are_called_as_the_clients_of_the_route_do(path: str, place: str) -> None:
    body = error_body(InvalidRequest("ids_not_accepted", "no ids here", field="inputs"), path)
    assert (body["error"]["message"] if path == "/v1/embeddings" else body["error"]) == f"{place}: no ids here"

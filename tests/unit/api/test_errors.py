"""From exceptions to answers."""

import logging
from types import SimpleNamespace
from typing import Any

import django.db
import psycopg
import pytest
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions

from embedding_project.contracts.errors import ERROR_KINDS, InvalidRequest, ServiceError, Unavailable
from embeddings_app.api.error_shapes import MAX_ECHO_CHARACTERS, error_body
from embeddings_app.api.errors import error_response, exception_response

CONTEXT: dict[str, Any] = {
    "request": SimpleNamespace(resolver_match=SimpleNamespace(route="v1/embed"), path_info="/v1/embed"),
    "view": SimpleNamespace(allowed_methods=["POST"]),
}


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("code", sorted(ERROR_KINDS))
def test_every_code_answers_with_its_status(code: str) -> None:
    response = exception_response(ServiceError(code), CONTEXT)
    assert response.status_code == ERROR_KINDS[code].status
    assert response.data == {"error": {"code": code, "message": ERROR_KINDS[code].meaning}}


@pytest.mark.parametrize("code", sorted(code for code, kind in ERROR_KINDS.items() if kind.status in (429, 503)))
def test_what_may_pass_says_when_to_come_back(code: str) -> None:
    assert exception_response(ServiceError(code), CONTEXT).headers["Retry-After"] == "1"
    assert error_response(Unavailable(code, retry_after_seconds=7)).headers["Retry-After"] == "7"
    assert error_response(Unavailable(code, retry_after_seconds=0)).headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (django.db.OperationalError("gone"), "database_unavailable"),
        (django.db.InterfaceError("gone"), "database_unavailable"),
        (psycopg.OperationalError("gone"), "database_unavailable"),
        (caused(django.db.OperationalError("gone"), psycopg.errors.QueryCanceled()), "too_slow"),
        (psycopg.errors.QueryCanceled(), "too_slow"),
        (caused(django.db.OperationalError("locked"), psycopg.errors.LockNotAvailable()), "too_slow"),
        (Http404(), "not_found"),
        (exceptions.MethodNotAllowed("PUT"), "method_not_allowed"),
        (exceptions.UnsupportedMediaType("x"), "unsupported_media_type"),
        (exceptions.ParseError(), "invalid_json"),
        (UnreadablePostError(), "invalid_json"),
        (RuntimeError("boom"), "internal_error"),
        (django.db.IntegrityError("boom"), "internal_error"),
    ],
)
def test_exceptions_of_libraries_have_a_code(error: Exception, code: str) -> None:
    assert exception_response(error, CONTEXT).data["error"]["code"] == code


def test_a_wrong_method_is_told_the_right_ones() -> None:
    assert exception_response(exceptions.MethodNotAllowed("PUT"), CONTEXT).headers["Allow"] == "POST"


def test_an_answer_repeats_little_of_what_it_refuses() -> None:
    body = error_body(InvalidRequest("invalid_filter", "m" * 5000, field="f" * 5000))["error"]
    assert len(body["message"]) == len(body["field"]) == MAX_ECHO_CHARACTERS


def test_a_log_line_has_the_places_but_not_the_words_of_a_user(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        try:
            raise ValueError("secret text")
        except ValueError as error:
            raise RuntimeError("secret text") from error

    with caplog.at_level(logging.WARNING), pytest.raises(RuntimeError) as caught:
        fail()
    exception_response(caught.value, CONTEXT)
    assert "secret" not in caplog.text
    assert "builtins.ValueError" in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert "v1/embed" in caplog.text
    assert f"{__file__}:" in caplog.text

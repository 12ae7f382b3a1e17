"""Document ids in paths, and query parameters."""

import pytest
from django.http import QueryDict

from embeddings_app.api.requests.names import RAW_PATH, check_parameters, doc_id_in_path, namespace_parameter
from tests.unit.api.refusals import refusal


@pytest.mark.parametrize("doc_id", ["a/b", "/a//b/", "..a/.b/...", "%FF", "🦊", "a?b#c", " "])
def test_any_text_is_an_id(doc_id: str) -> None:
    raw = f"/v1/vectors/{doc_id}".encode().decode("latin-1")
    assert doc_id_in_path(doc_id, {RAW_PATH: raw}) == doc_id


@pytest.mark.parametrize("doc_id", ["\x00", "a\nb", "x" * 513, "..", "a/./b", "a/.."])
def test_a_bad_id_is_refused(doc_id: str) -> None:
    assert refusal(lambda: doc_id_in_path(doc_id, {})) == ("invalid_value", "id")


def test_a_path_that_is_no_utf8_is_refused_though_django_mended_it() -> None:
    assert refusal(lambda: doc_id_in_path("%FF", {RAW_PATH: "/v1/vectors/\xff"})) == ("invalid_value", "id")


def test_parameters_have_defaults() -> None:
    assert namespace_parameter(QueryDict("")) == "default"
    assert namespace_parameter(QueryDict("namespace=n1")) == "n1"


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("namespce=x", "unknown_field", "namespce"),
        ("namespace=a&namespace=b", "invalid_value", "namespace"),
        ("namespace=", "invalid_value", "namespace"),
        ("namespace=%25", "invalid_value", "namespace"),
        ("namespace=%ff", "invalid_value", "namespace"),
    ],
)
def test_bad_parameters_are_refused(query: str, code: str, field: str) -> None:
    parameters = QueryDict(query)

    def read() -> None:
        check_parameters(parameters, "namespace", "include")
        namespace_parameter(parameters)

    assert refusal(read) == (code, field)

"""The OpenAPI document."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import orjson
import pytest
from drf_spectacular.validation import validate_schema

from embedding_project import VERSION
from embedding_project.contracts.errors import ERROR_KINDS
from embeddings_app.api.schema.generator import openapi_document
from embeddings_app.api.urls import urlpatterns

UNDOCUMENTED = {"", "v1/docs", "v1/openapi.json"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(openapi_document())
    return loaded


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from nodes(item)


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate_schema(document)  # type: ignore[no-untyped-call]  # drf-spectacular has no types


def test_it_has_the_version_of_the_project(document: dict[str, Any]) -> None:
    assert document["info"]["version"] == VERSION


def test_it_has_every_route(document: dict[str, Any]) -> None:
    routes = {str(pattern.pattern) for pattern in urlpatterns} - UNDOCUMENTED
    bare = {re.sub(r"<\w+:", "<", route) for route in routes}
    assert {path.lstrip("/").replace("{", "<").replace("}", ">") for path in document["paths"]} == bare


def test_every_route_has_a_described_tag_and_says_which_scopes_it_needs(document: dict[str, Any]) -> None:
    told = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == told
    needs = {operation["operationId"]: operation["x-scopes"] for _, operation in operations(document)}
    assert needs["search"] == ["search"]
    assert needs["get_document"] == ["search", "write"]
    assert needs["healthz"] == []
    assert needs["get_activity"] == needs["pause_import"] == needs["switch_version"] == ["operate", "admin"]
    assert needs["register_version"] == needs["start_import"] == ["admin"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    targets = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert {node["$ref"] for node in nodes(document) if "$ref" in node} <= targets


def test_every_error_code_but_the_routeless_ones_is_documented(document: dict[str, Any]) -> None:
    shown = {
        example["value"]["error"]["code"]
        for node in nodes(document["paths"])
        for example in (node["examples"].values() if isinstance(node.get("examples"), dict) else ())
        if isinstance(example.get("value", {}), dict) and isinstance(example["value"].get("error"), dict)
    }
    assert set(ERROR_KINDS) - shown == {"not_found", "method_not_allowed"}


def test_every_answer_and_request_has_an_example_that_fits(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        contents = [answer.get("content", {}) for answer in operation["responses"].values()]
        contents.append(operation.get("requestBody", {}).get("content", {}))
        for media in (content["application/json"] for content in contents if "application/json" in content):
            assert media["examples"], name
            for example in media["examples"].values():
                schema = {**_plain(media["schema"]), "components": _plain(document["components"])}
                jsonschema.validate(example["value"], schema)


def test_a_body_is_required_unless_all_its_fields_may_be_left_out(document: dict[str, Any]) -> None:
    found = {operation["operationId"]: operation["requestBody"]["required"] for _, operation in operations(document)
             if "requestBody" in operation}  # fmt: skip
    assert len(found) == 25
    optional = {name for name, required in found.items() if not required}
    assert optional == {
        *("start_run", "switch_version", "retire_version", "cancel_run"),
        *("query_documents", "count_documents", "map_documents", "create_namespace"),
    }


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0 says nullable where JSON Schema has a union of types."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain

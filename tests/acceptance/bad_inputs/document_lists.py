"""Bad listings, and bad changes of documents by ids or filter."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.bad_inputs.case import TEXT_SPACE, Case, post

_ROUTES = ("query", "count", "facet", "map", "update", "delete")
_NAMED = ("get", "map", "update", "delete")


def document_lists() -> Iterator[Case]:
    good: dict[str, dict[str, Any]] = {
        "query": {}, "count": {}, "facet": {"field": "lang"}, "map": {}, "get": {"ids": ["a"]},
        "update": {"filters": {"a": 1}, "set": {"b": 1}}, "delete": {"filters": {"a": 1}},
    }  # fmt: skip
    for route in _ROUTES:
        path, body = f"/v1/documents/{route}", {**good[route], "namespace": TEXT_SPACE}
        yield post("an unknown field", path, {**body, "where": {}}, 400, "unknown_field", "where")
        yield post(
            "an unknown namespace", path, {**body, "namespace": "no-such"}, 404, "unknown_namespace", "namespace"
        )
        yield post("an operator that does not exist", path, {**body, "filters": {"a": {"$like": "x"}}}, 400,
                   "invalid_filter", "filters.a.$like")  # fmt: skip
        yield post("a list as filters", path, {**body, "filters": []}, 400, "invalid_filter", "filters")
    for route in _NAMED:
        path, body = f"/v1/documents/{route}", {"set": {"b": 1}} if route == "update" else {}
        yield post("no id", path, {**body, "ids": []}, 400, "invalid_value", "ids")
        yield post("257 ids", path, {**body, "ids": [str(n) for n in range(257)]}, 400, "too_many_items", "ids")
        yield post("an empty id", path, {**body, "ids": ["a", ""]}, 400, "invalid_value", "ids[1]")
        yield post("a number as id", path, {**body, "ids": [7]}, 400, "invalid_type", "ids[0]")
        yield post("ids that are no list", path, {**body, "ids": "a"}, 400, "invalid_type", "ids")
    yield from _listings()
    yield from _changes()


def _listings() -> Iterator[Case]:
    rows: list[tuple[str, dict[str, Any], str, str]] = [
        ("a limit of 0", {"limit": 0}, "invalid_value", "limit"),
        ("a limit of 1,001", {"limit": 1_001}, "invalid_value", "limit"),
        ("another order", {"order": "updated_at"}, "invalid_value", "order"),
        ("a cursor that nobody gave", {"cursor": "page-2"}, "invalid_value", "cursor"),
        ("a cursor of the other order", {"cursor": "WyJhIiwgdHJ1ZV0"}, "invalid_value", "cursor"),
        ("a cursor with NUL", {"cursor": "a\0"}, "invalid_text", "cursor"),
        ("something else to include", {"include": ["score"]}, "invalid_value", "include[0]"),
    ]
    for name, body, code, field in rows:
        yield post(name, "/v1/documents/query", {"namespace": TEXT_SPACE, **body}, 400, code, field)
    path = "/v1/documents/facet"
    yield post("no field", path, {"namespace": TEXT_SPACE}, 400, "missing_field", "field")
    yield post("a number as field", path, {"field": 1}, 400, "invalid_type", "field")
    yield post("an empty field", path, {"field": ""}, 400, "invalid_value", "field")
    yield post("a limit of 0", path, {"field": "a", "limit": 0}, 400, "invalid_value", "limit")
    path = "/v1/documents/map"
    yield post("a limit of 5,001", path, {"limit": 5_001}, 400, "invalid_value", "limit")
    yield post("an empty field", path, {"field": ""}, 400, "invalid_value", "field")
    yield post("a field with NUL", path, {"field": "a\0"}, 400, "invalid_text", "field")
    yield post("a blank query", path, {"namespace": TEXT_SPACE, "query": " "}, 400, "empty_input", "query")


def _changes() -> Iterator[Case]:
    for route, what in (("delete", {}), ("update", {"set": {"b": 1}})):
        path, body = f"/v1/documents/{route}", {"namespace": TEXT_SPACE, **what}
        yield post("neither ids nor filters", path, body, 400, "missing_field", "filters")
        yield post("an empty filter", path, {**body, "filters": {}}, 400, "missing_field", "filters")
        yield post("all: false", path, {**body, "all": False}, 400, "missing_field", "filters")
        yield post(
            "ids and filters", path, {**body, "ids": ["a"], "filters": {"a": 1}}, 400, "invalid_value", "filters"
        )
        yield post("a filter and all", path, {**body, "filters": {"a": 1}, "all": True}, 400, "invalid_value", "all")
        yield post("ids and a cursor", path, {**body, "ids": ["a"], "cursor": "W"}, 400, "invalid_value", "cursor")
    path, body = "/v1/documents/update", {"namespace": TEXT_SPACE, "ids": ["a"]}
    yield post("neither set nor unset", path, body, 400, "missing_field", "set")
    yield post("a list to set", path, {**body, "set": [1]}, 400, "invalid_type", "set")
    yield post("a number to unset", path, {**body, "unset": [1]}, 400, "invalid_type", "unset[0]")
    yield post("a field to set and to unset", path, {**body, "set": {"a": 1}, "unset": ["a"]}, 400, "invalid_value",
               "unset")  # fmt: skip
    yield post("NaN to set", path, b'{"ids":["a"],"set":{"a":NaN}}', 400, "invalid_json")
    yield post(
        "a dry run of an update", path, {**body, "set": {"a": 1}, "dry_run": True}, 400, "unknown_field", "dry_run"
    )


def namespaces() -> Iterator[Case]:
    def put(name: str, path: str, body: bytes, status: int, code: str, field: str) -> Case:
        return Case(name=name, path=path, method="PUT", content=body, status=status, code=code, field=field)

    path = "/v1/namespaces/made-wrong"
    yield put("a name with capitals", "/v1/namespaces/Made", b"{}", 400, "invalid_value", "name")
    yield put("a name of 64 characters", f"/v1/namespaces/{'x' * 64}", b"{}", 400, "invalid_value", "name")
    yield put("an unknown field", path, b'{"shards":4}', 400, "unknown_field", "shards")
    yield put("store_text a string", path, b'{"store_text":"no"}', 400, "invalid_type", "store_text")
    yield put("a model that is not registered", path, b'{"model_id":"no-such"}', 404, "unknown_model", "model_id")
    yield put("another model than it has", f"/v1/namespaces/{TEXT_SPACE}", b'{"model_id":"external-8"}', 409,
              "namespace_exists", "name")  # fmt: skip
    yield put("a language that there is not", path, b'{"text_search":"klingon"}', 400, "invalid_value", "text_search")
    yield put("words without texts", path, b'{"text_search":"simple","store_text":false}', 409, "text_not_kept",
              "text_search")  # fmt: skip
    for name, body, code in (
        ("no setting", b"{}", "missing_field"),
        ("null", b'{"text_search":null}', "missing_field"),
        ("true", b'{"text_search":true}', "invalid_type"),
        ("a language that there is not", b'{"text_search":"klingon"}', "invalid_value"),
    ):
        yield Case(name=f"text_search: {name}", path=f"/v1/namespaces/{TEXT_SPACE}", method="PATCH", content=body,
                   status=400, code=code, field="text_search")  # fmt: skip
    yield Case(
        name="text_search of no namespace",
        path="/v1/namespaces/no-such",
        method="PATCH",
        content=b'{"text_search":"simple"}',
        status=404,
        code="unknown_namespace",
        field="namespace",
    )
    for query, field in (("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("after=A", "after")):
        yield Case(
            name=query, path=f"/v1/namespaces?{query}", method="GET", status=400, code="invalid_value", field=field
        )
    yield Case(name="the name that dropped ones have", path="/v1/namespaces/.dropped-1", method="DELETE", status=400,
               code="invalid_value", field="name")  # fmt: skip

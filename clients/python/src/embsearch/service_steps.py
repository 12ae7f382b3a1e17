"""The steps of listing, making and dropping namespaces."""

from urllib.parse import quote

from embsearch.answers import NamespaceInfo
from embsearch.exchange import Call, Patience, Steps, answered, encoded, get, put


def namespace_list(patience: Patience, page_size: int | None = None) -> Steps[tuple[NamespaceInfo, ...]]:
    """All of them, by name."""
    found: list[NamespaceInfo] = []
    after: str | None = None
    while True:
        reply = (yield from answered(get("/v1/namespaces", limit=page_size, after=after), patience)).json()
        found += map(NamespaceInfo.of, reply["namespaces"])
        after = reply["next"]
        if after is None:
            return tuple(found)


def create_namespace(
    name: str, model_id: str | None, store_text: bool | None, text_search: str | None, patience: Patience
) -> Steps[None]:
    body = {"model_id": model_id, "store_text": store_text, "text_search": text_search}
    yield from answered(put(_path(name), body), patience)


def set_text_search(name: str, language: str, patience: Patience) -> Steps[None]:
    body = encoded({"text_search": language})
    yield from answered(Call(method="PATCH", path=_path(name), body=body), patience)


def drop_namespace(name: str, patience: Patience) -> Steps[bool]:
    """Whether there was one."""
    reply = yield from answered(Call(method="DELETE", path=_path(name)), patience)
    return bool(reply.json()["dropped"])


def _path(name: str) -> str:
    return f"/v1/namespaces/{quote(name, safe='')}"

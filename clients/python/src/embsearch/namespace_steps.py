"""The steps of everything that is done with the documents of one namespace."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from embsearch.answers import Count, Facet, Hits, NamespaceStatus, Updated, Written
from embsearch.documents import Document, Page, StoredDocument, document_json
from embsearch.errors import ApiError, Conflict, NotReached, item_error
from embsearch.exchange import Call, Patience, Pause, Steps, answered, answered_whole, encoded, get, post
from embsearch.filters import Filter, FilterLike, filter_json
from embsearch.splitting import by_number, by_size
from embsearch.tokens import Tokens

Target = str | Iterable[str] | Filter | Mapping[str, Any]
"""One id, several ids, or all documents that pass a filter; a mapping is a filter in the form of the service."""
Progress = Callable[[NamespaceStatus], object]
EVERYTHING = {"all": True}
_PLACES = ("query", "vector", "like", "model_version")
"""What of a search says where it is."""
MOST_SEARCHES = 64
_LITTLE = {"top_k": 1, "include": list[str]()}


@dataclass(frozen=True, slots=True)
class NamespaceSteps:
    """`tokens` are those of all writes of the client."""

    name: str
    patience: Patience
    tokens: Tokens

    def upsert(
        self,
        documents: Sequence[Document | Mapping[str, Any]],
        *,
        wait: str | None,
        model_id: str | None,
        idempotency_key: str | None = None,
    ) -> Steps[tuple[Written, ...]]:
        """The requests after the first have its key with their number."""
        written: list[Written] = []
        bodies = [document_json(document) for document in documents]
        once = any(body.get("if_revision") is not None for body in bodies)
        # As they are now: the caller may change its lists between two requests, and one of the last may be no JSON.
        for number, part in enumerate(list(by_size(map(encoded, bodies), len))):
            key = f"{idempotency_key}-{number}" if idempotency_key and number else idempotency_key
            written += yield from self.upsert_encoded(part, once=once, wait=wait, model_id=model_id, key=key)
        return tuple(written)

    def upsert_encoded(
        self,
        documents: Sequence[bytes],
        *,
        once: bool,
        wait: str | None,
        model_id: str | None,
        key: str | None = None,
    ) -> Steps[tuple[Written, ...]]:
        """One request. The documents are JSON already. With a key it may be sent again whatever it does."""
        shared = {"namespace": self.name, "wait": wait, "model_id": model_id}
        head = encoded({key: value for key, value in shared.items() if value is not None}).removesuffix(b"}")
        body = head + b',"documents":[' + b",".join(documents) + b"]}"
        call = Call(method="POST", path="/v1/upsert", body=body, key=key, once=once and key is None)
        reply = (yield from answered(call, self.patience)).json()
        written = tuple(map(Written.of, reply["results"]))
        # What every replica has applied already needs no token.
        if any(one.state != "searchable" for one in written if one.error is None):
            self.tokens.written(self.name, reply["token"])
        return written

    def search(self, asked: Mapping[str, Any], *, read_your_writes: bool) -> Steps[Hits]:
        """It waits for all writes at once."""
        return (yield from self._reaching(asked, self._waiting(asked) if read_your_writes else []))

    def search_many(self, asked: Sequence[Mapping[str, Any]], *, read_your_writes: bool) -> Steps[list[Hits]]:
        """Raises the first error of a search that is not gone when it is asked again."""
        if asked and read_your_writes and (waiting := self._waiting(asked[0])):
            little = {**{name: asked[0].get(name) for name in _PLACES}, **_LITTLE}
            yield from self._reaching(little, waiting)
        found: list[Hits] = []
        for part in by_number(asked, MOST_SEARCHES):
            found += yield from self._batch(part)
        return found

    def _batch(self, asked: Sequence[Mapping[str, Any]]) -> Steps[list[Hits]]:
        """One request, and others for the searches that failed and may succeed later."""
        known = [{key: value for key, value in one.items() if value is not None} for one in asked]
        found: dict[int, Hits] = {}

        def ask(patience: Patience) -> Steps[list[ApiError]]:
            places = [place for place in range(len(known)) if place not in found]
            body = {"searches": [{"namespace": self.name, **known[place]} for place in places]}
            results = (yield from answered(post("/v1/search/batch", body), patience)).json()["results"]
            both = list(zip(places, results, strict=True))
            found.update({place: Hits.of(result) for place, result in both if "error" not in result})
            return [item_error(result["error"]) for _, result in both if "error" in result]

        yield from answered_whole(ask, self.patience)
        return [found[place] for place in range(len(known))]

    def _waiting(self, asked: Mapping[str, Any]) -> list[str]:
        """A token of the caller is the only one. A search by words alone waits for nothing."""
        if asked.get("min_token") is not None or asked.get("mode") == "text":
            return []
        return list(self.tokens.waiting(self.name))

    def _reaching(self, asked: Mapping[str, Any], tokens: list[str]) -> Steps[Hits]:
        while True:
            body = {"namespace": self.name, **asked} | ({"min_token": tokens} if tokens else {})
            try:
                found = Hits.of((yield from answered(post("/v1/search", body), self.patience)).json())
            except Conflict as error:
                if error.code != "token_expired" or not tokens:
                    raise
                # The log began anew, so what the token waited for is in its first state. Or the token is not of the
                # model version that is searched; then searches of the active one must still wait.
                expired = tokens.pop(_place(error.field))
                if asked.get("model_version") is None:
                    self.tokens.reached(self.name, expired)
            else:
                for token in tokens:
                    self.tokens.reached(self.name, token)
                return found

    def get(self, ids: Iterable[str], include: Iterable[str] | None) -> Steps[list[StoredDocument]]:
        found: list[StoredDocument] = []
        for part in by_number(ids):
            body = {"namespace": self.name, "ids": part, "include": _list(include)}
            reply = yield from answered(post("/v1/documents/get", body), self.patience)
            found += map(StoredDocument.of, reply.json()["documents"])
        return found

    def count(self, chosen: FilterLike) -> Steps[Count]:
        body = {"namespace": self.name, "filters": filter_json(chosen)}
        return Count.of((yield from answered(post("/v1/documents/count", body), self.patience)).json())

    def facet(self, field: str, chosen: FilterLike, limit: int | None) -> Steps[Facet]:
        body = {"namespace": self.name, "field": field, "filters": filter_json(chosen), "limit": limit}
        return Facet.of((yield from answered(post("/v1/documents/facet", body), self.patience)).json())

    def page(
        self,
        chosen: FilterLike,
        *,
        limit: int | None,
        order: str | None,
        cursor: str | None,
        include: Iterable[str] | None,
    ) -> Steps[Page]:
        body = {
            "namespace": self.name,
            "filters": filter_json(chosen),
            "limit": limit,
            "order": order,
            "cursor": cursor,
            "include": _list(include),
        }
        return Page.of((yield from answered(post("/v1/documents/query", body), self.patience)).json())

    def update(
        self, target: Target | None, new: Mapping[str, Any] | None, unset: Iterable[str], wait: str | None
    ) -> Steps[Updated]:
        change = deepcopy({"set": dict(new) if new else None, "unset": list(unset) or None, "wait": wait})
        done = Updated(matched=0, updated=0, refused=())
        for chosen in _targets(target):
            for_page: dict[str, Any] = dict(chosen)
            while for_page:
                body = {"namespace": self.name, **for_page, **change}
                reply = (yield from answered(post("/v1/documents/update", body), self.patience)).json()
                done += Updated.of(reply)
                self.tokens.written(self.name, reply["token"], covers_all=True)
                for_page = _next(chosen, reply)
        return done

    def delete(self, target: Target | None, dry_run: bool) -> Steps[int]:
        deleted = 0
        for chosen in _targets(target):
            for_page: dict[str, Any] = dict(chosen)
            while for_page:
                body = {"namespace": self.name, **for_page, "dry_run": dry_run or None}
                reply = (yield from answered(post("/v1/documents/delete", body), self.patience)).json()
                deleted += reply["deleted"]
                for_page = _next(chosen, reply)
        return deleted

    def status(self) -> Steps[NamespaceStatus]:
        path = f"/v1/namespaces/{quote(self.name, safe='')}"
        return NamespaceStatus.of((yield from answered(get(path), self.patience)).json())

    def wait(self, timeout_seconds: float, every_seconds: float, progress: Progress | None) -> Steps[NamespaceStatus]:
        give_up = self.patience.clock() + timeout_seconds
        while True:
            now = yield from self.status()
            if progress is not None:
                progress(now)
            if now.is_settled:
                return now
            if self.patience.clock() + every_seconds > give_up:
                raise NotReached(
                    f"of {now.count} documents in {self.name!r}, {now.pending} wait for their vectors and"
                    f" {now.searchable} are searchable after {timeout_seconds:g} s"
                )
            yield Pause(every_seconds)


def _targets(target: Target | None) -> Iterator[dict[str, Any]]:
    """What of a request names the documents; None is all of them."""
    if target is None:
        yield EVERYTHING
    elif isinstance(target, Filter | Mapping):
        # Of all pages alike: the caller may change its own between two requests.
        yield {"filters": deepcopy(filter_json(target))}
    else:
        for part in by_number([target] if isinstance(target, str) else target):
            yield {"ids": part}


def _next(chosen: Mapping[str, Any], reply: Mapping[str, Any]) -> dict[str, Any]:
    """The request after this one; empty at the end."""
    return {} if reply["next"] is None else {**chosen, "cursor": reply["next"]}


def _place(field: str | None) -> int:
    """Of the token that `min_token[3]` names."""
    named = re.fullmatch(r"min_token\[(\d+)\]", field or "")
    return int(named[1]) if named else 0


def _list(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else list(names)

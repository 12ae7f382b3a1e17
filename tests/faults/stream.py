"""A stream of writes and searches with a history, against which the promises are checked."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

_PATIENCE_SECONDS = 90.0
_WORDS = [
    "river",
    "mountain",
    "engine",
    "copper",
    "violin",
    "harbour",
    "falcon",
    "lantern",
    "meadow",
    "glacier",
    "tunnel",
    "orchard",
    "compass",
    "quartz",
    "saddle",
    "marble",
    "thunder",
    "velvet",
    "walnut",
    "anchor",
    "bishop",
    "canyon",
    "dagger",
    "ember",
    "forest",
    "goblet",
    "hammer",
    "island",
    "jungle",
    "kettle",
]


@dataclass(slots=True)
class History:
    """What was acknowledged. Only the writer changes it; readers take copies."""

    live: dict[str, str] = field(default_factory=dict)
    """Document id -> text of the last acknowledged write."""
    deleted: dict[str, float] = field(default_factory=dict)
    """Document id -> time its delete was acknowledged (monotonic)."""
    resurrected: list[str] = field(default_factory=list)
    server_errors: list[str] = field(default_factory=list)


class Stream:
    """One writer and one reader, until `stop`."""

    def __init__(self, url: str, namespace: str, seed: int, live: Mapping[str, str] | None = None) -> None:
        """`live`: what the namespace holds already, as in the history."""
        self.history = History(live=dict(live or {}))
        self._url = url
        self._namespace = namespace
        self._seed = seed
        self._random = random.Random(seed)
        self._written = 0
        self._stopped = threading.Event()
        with httpx.Client(base_url=url, timeout=15) as client:
            self._write(client)
        self._threads = [threading.Thread(target=self._loop, args=(step,)) for step in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> History:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return self.history

    def _loop(self, step: Callable[[httpx.Client], None]) -> None:
        with httpx.Client(base_url=self._url, timeout=15) as client:
            while not self._stopped.is_set():
                step(client)

    def _write(self, client: httpx.Client) -> None:
        """Write, rewrite or delete one document, and insist until it is acknowledged: all are idempotent."""
        chance = self._random.random()
        if self.history.live and chance < 0.3:
            doc_id = self._random.choice(list(self.history.live))
            if self._insist(lambda: client.delete(f"/v1/vectors/{doc_id}", params={"namespace": self._namespace})):
                del self.history.live[doc_id]
                self.history.deleted[doc_id] = time.monotonic()
        else:
            self._written += 1
            rewritten = self.history.live and chance < 0.5
            doc_id = self._random.choice(list(self.history.live)) if rewritten else f"doc-{self._seed}-{self._written}"
            text = f"{' '.join(self._random.sample(_WORDS, 5))} {self._written}"
            body = {"id": doc_id, "text": text, "namespace": self._namespace, "metadata": {"n": self._written}}
            if self._insist(lambda: client.post("/v1/upsert", json=body)):
                self.history.live[doc_id] = text
        time.sleep(0.05)

    def _read(self, client: httpx.Client) -> None:
        """Look for something; what was deleted before the search began must not be there."""
        started = time.monotonic()
        gone = {doc_id for doc_id, when in list(self.history.deleted.items()) if when < started}
        body = {"query": self._random.choice(_WORDS), "namespace": self._namespace, "top_k": 100}
        answer = self._try(lambda: client.post("/v1/search", json=body))
        if answer is not None and answer.status_code == 200:
            self.history.resurrected += [hit["id"] for hit in answer.json()["hits"] if hit["id"] in gone]
        time.sleep(0.1)

    def _insist(self, call: Callable[[], httpx.Response]) -> bool:
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = self._try(call)
            if answer is not None and answer.status_code == 200:
                return True
            time.sleep(0.2)
        raise AssertionError("a write was not taken within its patience")

    def _try(self, call: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            answer = call()
        except httpx.HTTPError:
            return None
        # Only saying so honestly is allowed: later, or not now.
        if answer.status_code >= 400 and answer.status_code not in (429, 503):
            self.history.server_errors.append(answer.text)
        return answer

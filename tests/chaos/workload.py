"""The clients of a run: each owns some documents, which it alone writes, and reads those of all.

They are paced: what is compared over a run is how many requests succeed, not how fast the machine is.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.client import LIMITS, Client
from tests.chaos.history import ABSENT, Asked, Journal, Kind, Outcome, Written

NAMESPACES = ("red", "green", "blue")
_BATCH = 8
_EMBEDDING = {"embed": 1}
"""What the first client does. A message that was lost costs its caller the 30 s of an embed: if all clients embedded,
all would soon wait, and the pace would say nothing of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who does what, and how often. The weights are relative."""

    clients: int = 7
    documents: int = 210
    period_seconds: float = 0.3
    waits: tuple[str, ...] = ("accepted", "indexed", "searchable")
    new_text_share: float = 0.8
    weights: dict[str, int] = field(
        default_factory=lambda: {
            "upsert": 26,
            "batch": 6,
            "delete": 9,
            "find": 26,
            "browse": 8,
            "get": 10,
            "read_own_write": 9,
        }
    )


class Workload:
    """Runs from the constructor until `stop`."""

    def __init__(self, url: str, journal: Journal, plan: Plan, seed: int) -> None:
        self._stopping = threading.Event()
        self._texts: dict[str, int] = {}
        self.failures: list[Exception] = []
        """Faults of the workload itself, which void the run."""
        users = [
            _User(
                Client(f"client-{number}", url, journal), number, plan, random.Random(f"{seed}/{number}"), self._texts
            )
            for number in range(plan.clients)
        ]
        for user in users:
            user.fill()
        self._threads = [threading.Thread(target=self._run, args=(user,), name=user.name) for user in users]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, user: "_User") -> None:
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                user.step()
                self._stopping.wait(user.period_seconds - (time.monotonic() - began))
        except Exception as error:  # noqa: BLE001
            self.failures.append(error)
        finally:
            user.close()


class _User:
    def __init__(self, client: Client, number: int, plan: Plan, chance: random.Random, texts: dict[str, int]) -> None:
        self.name = client.name
        self.period_seconds = plan.period_seconds
        self._client = client
        self._plan = plan
        self._weights = plan.weights if number else _EMBEDDING
        self._random = chance
        self._texts = texts
        """Document -> text of its last write, of every client; ABSENT when that was a delete."""
        self._own = [_doc_id(place) for place in range(plan.documents) if place % plan.clients == number]
        self._versions = dict.fromkeys(self._own, 0)
        self._text_versions = dict.fromkeys(self._own, 0)
        self._steps: dict[str, Callable[[], object]] = {
            "upsert": lambda: self._upsert(1),
            "batch": lambda: self._upsert(_BATCH),
            "delete": self._delete,
            "find": self._find,
            "browse": self._browse,
            "get": self._get,
            "read_own_write": self._read_own_write,
            "embed": lambda: self._client.embed(f"a text about {self._random.randrange(10_000)}"),
        }

    def close(self) -> None:
        self._client.close()

    def fill(self) -> None:
        """Write every document of its own once, so that all namespaces exist."""
        for namespace in NAMESPACES:
            own = [doc_id for doc_id in self._own if _namespace(doc_id) == namespace]
            self._client.upsert(namespace, tuple(map(self._next, own)), "searchable")

    def step(self) -> None:
        (name,) = self._random.choices(list(self._weights), list(self._weights.values()))
        self._steps[name]()

    def _upsert(self, count: int) -> None:
        namespace = self._random.choice(NAMESPACES)
        own = [doc_id for doc_id in self._own if _namespace(doc_id) == namespace]
        writes = tuple(self._next(doc_id) for doc_id in self._random.sample(own, min(count, len(own))))
        self._client.upsert(namespace, writes, self._random.choice(self._plan.waits))

    def _delete(self) -> None:
        """Delete a document, and half of the time look at once whether it is gone."""
        doc_id = self._random.choice(self._own)
        text_version = self._text_versions[doc_id]
        self._versions[doc_id] += 1
        self._texts[doc_id] = ABSENT
        written = Written(doc_id=doc_id, version=ABSENT, text_version=ABSENT)
        done = self._client.delete(_namespace(doc_id), written)
        if done.outcome is Outcome.OK and text_version and self._random.random() < 0.5:
            self._client.search(_search_for(doc_id, text_version), by_vector=True)

    def _find(self) -> None:
        known = list(self._texts.items())
        if known:
            doc_id, text_version = self._random.choice(known)
            by_vector, exact = self._random.random() < 0.3, self._random.random() < 0.5
            self._client.search(_search_for(doc_id, text_version or 1), by_vector=by_vector, exact=exact)

    def _browse(self) -> None:
        namespace, parity = self._random.choice(NAMESPACES), self._random.choice((None, 0, 1))
        self._client.search(
            Asked(kind=Kind.SEARCH, namespace=namespace, limit_seconds=LIMITS[Kind.SEARCH], parity=parity)
        )

    def _get(self) -> None:
        doc_id = self._random.choice([*self._texts] or self._own)
        self._client.get(_namespace(doc_id), doc_id)

    def _read_own_write(self) -> None:
        """Write, and search with the token of the write for what was written."""
        written = self._next(self._random.choice(self._own))
        done = self._client.upsert(_namespace(written.doc_id), (written,), "indexed")
        if done.answered.token:
            asked = _search_for(written.doc_id, written.text_version, token_of=done.number)
            self._client.search(asked, by_vector=True, token=done.answered.token)

    def _next(self, doc_id: str) -> Written:
        self._versions[doc_id] += 1
        if not self._texts.get(doc_id) or self._random.random() < self._plan.new_text_share:
            self._text_versions[doc_id] += 1
        self._texts[doc_id] = self._text_versions[doc_id]
        return Written(doc_id=doc_id, version=self._versions[doc_id], text_version=self._text_versions[doc_id])


def _doc_id(place: int) -> str:
    return f"{NAMESPACES[place % len(NAMESPACES)]}-{place}"


def _namespace(doc_id: str) -> str:
    return doc_id.partition("-")[0]


def _search_for(doc_id: str, text_version: int, token_of: int | None = None) -> Asked:
    return Asked(
        kind=Kind.SEARCH,
        namespace=_namespace(doc_id),
        limit_seconds=LIMITS[Kind.SEARCH],
        doc_id=doc_id,
        text_version=text_version,
        token_of=token_of,
    )

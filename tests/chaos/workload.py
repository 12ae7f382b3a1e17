"""The clients of a run: each has documents that it alone writes, all write the shared ones, and all read those of all.

They are paced: what is compared over a run is how many requests succeed, not how fast the machine is.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.client import Client, search_for, search_for_anything
from tests.chaos.content import CHOICES, SWEPT_NAMESPACES, Place
from tests.chaos.history import Journal, Operation, Outcome
from tests.chaos.passing import DROPPED_NAMESPACES, DroppedSteps, SweptSteps
from tests.chaos.versions import KnownVersions
from tests.chaos.writes import Writes

NAMESPACES = ("red", "green", "blue")
SMALL_NAMESPACES = tuple(f"small-{number}" for number in range(40))
"""Each with one document of each of two clients."""
_BATCH = 8
_EMBEDDED_TEXTS = 4
_EMBEDDING = {"embed": 1}
"""What the first client does. A message that was lost costs its caller the 30 s of an embed: if all clients embedded,
all would soon wait, and the pace would say nothing of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who does what, and how often. The weights are relative."""

    clients: int = 7
    documents: int = 210
    """Each with one writer, over NAMESPACES."""
    small_namespaces: tuple[str, ...] = SMALL_NAMESPACES
    shared: int = 2
    """Of each namespace, with the same ids in all of them; every client writes them."""
    swept_namespaces: tuple[str, ...] = SWEPT_NAMESPACES
    dropped_namespaces: tuple[str, ...] = DROPPED_NAMESPACES
    period_seconds: float = 0.3
    waits: tuple[str, ...] = ("accepted", "indexed", "searchable")
    new_text_share: float = 0.8
    weights: dict[str, int] = field(
        default_factory=lambda: {
            "upsert": 22,
            "batch": 6,
            "delete": 8,
            "contend": 10,
            "find": 24,
            "browse": 10,
            "get": 12,
            "read_own_write": 8,
            "rewrite": 8,
            "sweep": 5,
            "mark": 5,
            "list": 4,
            "claim": 5,
            "words": 6,
            "together": 3,
            "renew": 5,
            "drop": 2,
        }
    )


class Workload:
    """Runs from the constructor until `stop`."""

    def __init__(self, url: str, journal: Journal, plan: Plan, seed: int, known: KnownVersions) -> None:
        self._stopping = threading.Event()
        writes = Writes()
        self.failures: list[Exception] = []
        """Faults of the workload itself, which void the run."""
        users: list[_User] = []
        for number in range(plan.clients):
            chance = random.Random(f"{seed}/{number}")
            users.append(_User(Client(f"client-{number}", url, journal, known, chance), number, plan, chance, writes))
        for namespace in plan.swept_namespaces:
            users[0].make_namespace(namespace)
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
    def __init__(self, client: Client, number: int, plan: Plan, chance: random.Random, writes: Writes) -> None:
        self.name = client.name
        self.period_seconds = plan.period_seconds
        self._client = client
        self._plan = plan
        self._random = chance
        self._writes = writes
        self._own = [_place(one) for one in range(plan.documents) if one % plan.clients == number]
        self._own += [
            Place(namespace, f"{namespace}-{number}")
            for place, namespace in enumerate(plan.small_namespaces)
            if number in (place % plan.clients, (place + 1) % plan.clients)
        ]
        self._namespaces = [
            *(*NAMESPACES, *plan.small_namespaces),
            *(*plan.swept_namespaces, *plan.dropped_namespaces),
        ]
        self._shared = [Place(namespace, f"shared-{one}") for namespace in NAMESPACES for one in range(plan.shared)]
        self._steps: dict[str, Callable[[], object]] = {
            "upsert": lambda: self._upsert(1),
            "batch": lambda: self._upsert(_BATCH),
            "delete": lambda: self._delete(self._random.choice(self._own)),
            "contend": self._contend,
            "find": self._find,
            "browse": self._browse,
            "get": self._get,
            "read_own_write": self._read_own_write,
            "embed": self._embed,
        }
        if plan.swept_namespaces:
            self._steps |= SweptSteps(client, plan.swept_namespaces, plan.waits, chance, writes, self._send).steps
        if plan.dropped_namespaces:
            self._steps |= DroppedSteps(client, plan.dropped_namespaces, number, chance, writes, self._send).steps
        weights = plan.weights if number else _EMBEDDING
        self._weights = {name: weight for name, weight in weights.items() if name in self._steps}

    def close(self) -> None:
        self._client.close()

    def make_namespace(self, namespace: str) -> None:
        self._client.make_namespace(namespace)

    def fill(self) -> None:
        """Write every document of its own once, so that all namespaces exist."""
        for namespace in dict.fromkeys(place.namespace for place in self._own):
            self._send([place for place in self._own if place.namespace == namespace], "searchable")

    def step(self) -> None:
        (name,) = self._random.choices(list(self._weights), list(self._weights.values()))
        self._steps[name]()

    def _upsert(self, count: int) -> None:
        """One document, or a batch in any order that shares some with the other clients."""
        namespace = self._random.choice(self._own).namespace
        mine = [place for place in self._own if place.namespace == namespace]
        places = self._random.sample(mine, min(count, len(mine)))
        if count > 1:
            places += [place for place in self._shared if place.namespace == namespace]
            self._random.shuffle(places)
        self._send(places, self._random.choice(self._plan.waits))

    def _delete(self, place: Place) -> None:
        """Delete a document, and half of the time look at once whether it is gone."""
        text_version = self._writes.deleted(place)
        done = self._client.delete(place)
        if done.outcome is Outcome.OK and text_version and self._random.random() < 0.5:
            self._client.search(search_for(place, text_version), by_vector=True)

    def _contend(self) -> None:
        """Write, delete and write again what the others write too, and look at it in between."""
        if not self._shared:
            return
        place = self._random.choice(self._shared)
        for _ in range(2):
            self._send([place], self._random.choice(self._plan.waits))
            self._client.get(place)
            if self._random.random() < 0.5:
                self._delete(place)

    def _find(self) -> None:
        known = self._writes.known()
        if known:
            place, text_version = self._random.choice(known)
            by_vector, exact = self._random.random() < 0.3, self._random.random() < 0.5
            self._client.search(search_for(place, text_version or 1), by_vector=by_vector, exact=exact)

    def _browse(self) -> None:
        field_name = self._random.choice([*CHOICES, ""])
        condition = (field_name, self._random.randrange(len(CHOICES[field_name]))) if field_name else None
        self._client.search(search_for_anything(self._random.choice(self._namespaces), condition))

    def _get(self) -> None:
        known = [place for place, _ in self._writes.known()]
        self._client.get(self._random.choice(known or self._own))

    def _read_own_write(self) -> None:
        """Write, and search with the token of the write for what was written."""
        place = self._random.choice(self._own)
        done = self._send([place], "indexed")
        if done.answered.token:
            (written,) = done.asked.writes
            asked = search_for(place, written.text_version, token_of=done.number)
            self._client.search(asked, by_vector=True, token=done.answered.token)

    def _embed(self) -> None:
        """Texts that no cache has."""
        numbers = [self._random.randrange(10**9) for _ in range(_EMBEDDED_TEXTS)]
        self._client.embed([f"a text about {number}" for number in numbers])

    def _send(self, places: Sequence[Place], wait: str) -> Operation:
        new_texts = [self._random.random() < self._plan.new_text_share for _ in places]
        writes = tuple(
            self._writes.next(place, new_text=new_text) for place, new_text in zip(places, new_texts, strict=True)
        )
        return self._client.upsert(places[0].namespace, writes, wait)


def _place(one: int) -> Place:
    namespace = NAMESPACES[one % len(NAMESPACES)]
    return Place(namespace, f"{namespace}-{one}")

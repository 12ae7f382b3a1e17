"""What clients do to documents that go by filter or with their namespace, and how they look at them meanwhile."""

import random
from collections.abc import Callable, Mapping, Sequence

from tests.chaos.client import Client, search_for
from tests.chaos.content import CHOICES, Place
from tests.chaos.history import Operation, Outcome
from tests.chaos.writes import Writes

DROPPED_NAMESPACES = ("dropped-0", "dropped-1")
_SWEPT_DOCUMENTS = 24
"""Of each namespace; every client writes them all."""
_CLAIMED = 3
"""Of these the ones that clients write on condition: few, so that they get into each other's way."""
_DROPPED_DOCUMENTS = 3
"""Of each client in each namespace, which it alone writes: a drop lets revisions begin again."""
_TOGETHER = 4
_PAGES = (3, 5, 11)
Send = Callable[[Sequence[Place], str], Operation]
Steps = Mapping[str, Callable[[], object]]


class SweptSteps:
    """Documents that are rewritten, deleted and changed by filter, listed, and found by their words."""

    def __init__(
        self,
        client: Client,
        namespaces: Sequence[str],
        waits: Sequence[str],
        chance: random.Random,
        writes: Writes,
        send: Send,
    ) -> None:
        self._client = client
        self._places = {name: [Place(name, f"{name}-{one}") for one in range(_SWEPT_DOCUMENTS)] for name in namespaces}
        self._waits = waits
        self._random = chance
        self._writes = writes
        self._send = send
        self.steps: Steps = {
            "rewrite": self._rewrite,
            "sweep": self._sweep,
            "mark": self._mark,
            "list": lambda: self._list(self._namespace()),
            "claim": self._claim,
            "words": self._find_by_word,
            "together": self._find_together,
        }

    def _rewrite(self) -> None:
        """Some documents, and half of the time one of them is looked for at once, by the word it has now."""
        places = self._random.sample(self._places[self._namespace()], 4)
        done = self._send(places, self._random.choice(self._waits))
        if done.outcome is Outcome.OK and self._random.random() < 0.5:
            written = done.asked.writes[0]
            self._search_words(places[0], written.text_version)

    def _sweep(self) -> None:
        namespace = self._namespace()
        done = self._client.sweep(namespace, self._condition())
        if done.outcome is Outcome.OK and self._random.random() < 0.5:
            self._list(namespace)

    def _mark(self) -> None:
        namespace = self._namespace()
        wait = self._random.choice(("accepted", "searchable"))
        done = self._client.mark(namespace, self._condition(), self._writes.next_mark(), wait)
        if done.outcome is Outcome.OK and self._random.random() < 0.5:
            self._list(namespace)

    def _list(self, namespace: str) -> None:
        condition = self._condition() if self._random.random() < 0.5 else None
        page, backwards = self._random.choice(_PAGES), self._random.random() < 0.5
        self._client.list_all(namespace, condition, page, backwards=backwards)

    def _claim(self) -> None:
        """Write a document only as it was read, or only if it is not there."""
        place = self._random.choice(self._places[self._namespace()][:_CLAIMED])
        seen = self._client.get(place).answered.seen
        revision = seen[0].revision if seen and self._random.random() < 0.8 else 0
        written = self._writes.next(place, new_text=True)
        self._client.upsert(place.namespace, (written,), self._random.choice(self._waits), if_revision=revision)

    def _find_by_word(self) -> None:
        place, text_version = self._known()
        self._search_words(place, text_version)

    def _find_together(self) -> None:
        self._client.search_together([search_for(*self._known()) for _ in range(_TOGETHER)])

    def _search_words(self, place: Place, text_version: int) -> None:
        mode = self._random.choice(("text", "text", "hybrid"))
        self._client.search(search_for(place, text_version, mode=mode))

    def _known(self) -> tuple[Place, int]:
        """A document, and the text that it was last given, as far as anybody knows."""
        place = self._random.choice(self._places[self._namespace()])
        return place, self._writes.text_of(place) or 1

    def _namespace(self) -> str:
        return self._random.choice(list(self._places))

    def _condition(self) -> tuple[str, int]:
        """Half of the documents pass, or an eighth."""
        field = self._random.choice(("parity", "number", "word"))
        return field, self._random.randrange(len(CHOICES[field]))


class DroppedSteps:
    """Documents that are written again and again into namespaces that anybody may drop."""

    def __init__(
        self, client: Client, namespaces: Sequence[str], number: int, chance: random.Random, writes: Writes, send: Send
    ) -> None:
        self._client = client
        self._own = {
            name: [Place(name, f"{name}-{number}-{one}") for one in range(_DROPPED_DOCUMENTS)] for name in namespaces
        }
        self._random = chance
        self._writes = writes
        self._send = send
        self.steps: Steps = {"renew": self._renew, "drop": self._drop}

    def _renew(self) -> None:
        places = self._random.choice(list(self._own.values()))
        self._send(self._random.sample(places, 2), self._random.choice(("accepted", "searchable")))
        self._client.get(self._random.choice(places))

    def _drop(self) -> None:
        """And look at once for what was there, which another process may answer."""
        namespace = self._random.choice(list(self._own))
        if self._client.drop(namespace).outcome is Outcome.OK:
            for place in self._own[namespace]:
                self._client.get(place)
            self._client.list_all(namespace, None, _PAGES[-1], backwards=False)

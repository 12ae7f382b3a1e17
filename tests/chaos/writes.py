"""The numbers of all writes of a run, so that no two of a document are alike."""

import itertools
import threading
from collections import defaultdict

from tests.chaos.content import Place
from tests.chaos.history import ABSENT, Written


class Writes:
    """The numbers of the writes of every document, and the text each was last given. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[Place, int] = defaultdict(int)
        self._texts: dict[Place, int] = {}
        self._marks = itertools.count(1)

    def next(self, place: Place, *, new_text: bool) -> Written:
        """A write that no other write of the document is like. A new text takes its number."""
        with self._lock:
            self._numbers[place] = version = self._numbers[place] + 1
            if new_text or not self._texts.get(place):
                self._texts[place] = version
            return Written(doc_id=place.doc_id, version=version, text_version=self._texts[place])

    def deleted(self, place: Place) -> int:
        """Note that a delete is about to be sent; gives the text that the document had, ABSENT when it had none."""
        with self._lock:
            text, self._texts[place] = self._texts.get(place, ABSENT), ABSENT
            return text

    def text_of(self, place: Place) -> int:
        """The text that the document was last given; ABSENT when it has none."""
        with self._lock:
            return self._texts.get(place, ABSENT)

    def known(self) -> list[tuple[Place, int]]:
        """Every document that was ever to be written, with its text of now or ABSENT."""
        with self._lock:
            return list(self._texts.items())

    def next_mark(self) -> int:
        """What an update by filter writes, and no other."""
        return next(self._marks)

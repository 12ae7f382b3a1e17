"""What a language makes of words, remembered by a process: a query seldom has a word that none before it had.

The languages never change, and words say nothing of each other: what a text means to one is what its words do.
"""

import threading
from collections.abc import Mapping

from embeddings_app.records import text_search
from embeddings_app.records.words import plain

_MOST = 20_000
_LONGEST = 64
"""Characters. Longer words are asked for each time, so that what is remembered is bounded."""


class RememberedWords:
    """Safe for many threads."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._held: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, language: str, text: str) -> tuple[str, ...]:
        """The words of a text as the language has them, each once."""
        # By spaces alone: what else Python takes for one may be a letter to Postgres.
        words = list(dict.fromkeys(word for word in plain(text).split(" ") if word))
        known = {word: self._held.get((language, word)) for word in words}
        unknown = [word for word, made in known.items() if made is None]
        made = {word: found for word, found in known.items() if found is not None}
        if unknown:
            found = dict(zip(unknown, text_search.analysed_words(language, unknown), strict=True))
            made |= found
            self._remember(language, found)
        return tuple(dict.fromkeys(lexeme for word in words for lexeme in made[word]))

    def _remember(self, language: str, found: Mapping[str, tuple[str, ...]]) -> None:
        with self._guard:
            if len(self._held) + len(found) > self._most:
                self._held = {}
            self._held |= {(language, word): made for word, made in found.items() if len(word) <= _LONGEST}

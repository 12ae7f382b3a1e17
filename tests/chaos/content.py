"""What the documents of a run say: everything follows from the place of a document and the number of a write.

A reader can therefore tell from any answer which write it shows, and whether it shows all of it.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.cluster import DIMENSION, MAX_TOKENS
from tests.chaos.versions import prompt_of
from workers.encoders.hashing import HashingEncoder

NUMBERS = (1e23, 1.989e30, 1.7643548061234568e18, 2**53 + 1, -0.0, 5e-324, 0.1 + 0.2, 1e300)
"""Numbers that JSON, Postgres and NumPy like to write in three ways."""
WORDS = (
    "Straße",
    "STRASSE",
    unicodedata.normalize("NFC", "café"),
    unicodedata.normalize("NFD", "café"),
    "🦊 and 🐻",
    "שלום",
    'it\'s "quoted" \\ and %s',
    "İstanbul",
)
"""Words that look alike and are not, and words that break what is put together from text."""
CHOICES: Mapping[str, tuple[Any, ...]] = {"parity": (0, 1), "number": NUMBERS, "word": WORDS}
"""Metadata field -> the values it takes in turn, by the number of the write."""
SWEPT_NAMESPACES = ("swept-0", "swept-1")
"""Their documents come and go by filter, and their words are kept."""
MARK = "mark"
"""The metadata field that updates by filter write."""
_encoder = HashingEncoder(DIMENSION, MAX_TOKENS)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a document stands. The same id may stand in several namespaces."""

    namespace: str
    doc_id: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.doc_id}"


def text_of(place: Place, text_version: int) -> str:
    """A text that no other document and no other version has, with a word that no other text has."""
    said = f"what {place.doc_id} of {place.namespace} says in its version {text_version}"
    return f"{said} {word_of(place, text_version)}" if place.namespace in SWEPT_NAMESPACES else said


def word_of(place: Place, text_version: int) -> str:
    """The word by which a search by words finds one text of one document, in a namespace that keeps words."""
    number = SWEPT_NAMESPACES.index(place.namespace)
    return f"n{number}d{place.doc_id.rpartition('-')[2]}t{text_version}"


def vector_of(text: str, model_version: int) -> list[float]:
    """The unit vector that a version of the model of the run must give a text, be it a query or a document."""
    vector: list[float] = _encoder.encode(_encoder.tokenize([prompt_of(model_version) + text]))[0].tolist()
    return vector


def metadata_of(namespace: str, version: int, text_version: int) -> dict[str, Any]:
    chosen = {field: values[version % len(values)] for field, values in CHOICES.items()}
    return {"namespace": namespace, "version": version, "text": text_version, **chosen}


def passes(condition: tuple[str, int], version: int) -> bool:
    """Whether the document of a write passes the filter `field = the value of that number`."""
    field, choice = condition
    return version % len(CHOICES[field]) == choice


def wrong_content(document: Any) -> str:
    """What a document in an answer has of another write than the one it names; empty when it is whole."""
    metadata = document["metadata"]
    namespace, version, text_version = metadata.get("namespace"), metadata.get("version", 0), metadata.get("text", 0)
    if document.get("text") != text_of(Place(namespace, document["id"]), text_version):
        return f"{document['id']} has the metadata of another text"
    if _comparable(metadata) != _comparable(metadata_of(namespace, version, text_version)):
        return f"{document['id']} has other metadata than version {version} was written with"
    return ""


def _comparable(metadata: dict[str, Any]) -> dict[str, Any]:
    """A number may come back as an integer with the same digits, `1.5e18` as `1500000000000000000`. What was changed
    without the text is judged apart."""
    written = {field: value for field, value in metadata.items() if field != MARK}
    return {**written, "number": float(written["number"])} if "number" in written else written

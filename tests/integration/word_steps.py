"""Searches by words, and a namespace to search."""

import time

from embedding_project.contracts.filters import parse_filter
from embeddings_app.models import Namespace
from embeddings_app.services import namespaces
from embeddings_app.services.documents.namespace_changes import create
from embeddings_app.services.search.text_half import TextHits, WordQuery, search_words
from embeddings_app.services.search.text_query import TextAsked
from tests.integration.indexing_steps import NAMESPACE, put

TEXTS = {
    "fox": "Foxes live in dens, and a fox hunts at night.",
    "owl": "Owls hunt at night. They live in trees.",
    "error": "The heater said ERR-1234 and went dark.",
    "other error": "The heater said ERR-12345, or so it seems.",
    "long": "Night after night the heater hums: " + " ".join(f"hum{place}" for place in range(200)),
    "c": "Programs in C++ and in C.",
}


def space() -> Namespace:
    namespaces.forget_cached()
    return namespaces.namespace(NAMESPACE)


def query(asked: TextAsked, top_k: int = 10, filters: object = None) -> WordQuery:
    return WordQuery(
        asked=asked,
        top_k=top_k,
        wanted=top_k,
        filter=parse_filter(filters),
        include=frozenset({"metadata", "text"}),
        version_key=1,
        dimension=384,
    )


def search(text: str = "", *, filters: object = None, **asked: object) -> TextHits:
    wanted = TextAsked(words=text, **asked)  # type: ignore[arg-type]
    return search_words(query(wanted, filters=filters), space(), time.monotonic() + 10)


def found(text: str = "", **asked: object) -> list[str]:
    return [hit.doc_id for hit in search(text, **asked).hits]


def filled(language: str = "english", texts: dict[str, str] = TEXTS) -> None:
    create(NAMESPACE, None, store_text=True, text_search=language, actor="test")
    put(*texts.items())

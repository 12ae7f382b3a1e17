"""The service in Haystack: a document store, retrievers and embedders. See docs/how-to/use-haystack.md."""

from embsearch.haystack.embedders import EmbSearchDocumentEmbedder, EmbSearchTextEmbedder
from embsearch.haystack.retrievers import EmbSearchEmbeddingRetriever, EmbSearchTextRetriever
from embsearch.haystack.store import EmbSearchDocumentStore

__all__ = [
    "EmbSearchDocumentEmbedder",
    "EmbSearchDocumentStore",
    "EmbSearchEmbeddingRetriever",
    "EmbSearchTextEmbedder",
    "EmbSearchTextRetriever",
]

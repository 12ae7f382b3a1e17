"""The service in LlamaIndex: a vector store and embeddings. See docs/how-to/use-llamaindex.md."""

from embsearch.llamaindex.embedding import EmbSearchEmbedding
from embsearch.llamaindex.store import EmbSearchVectorStore

__all__ = ["EmbSearchEmbedding", "EmbSearchVectorStore"]

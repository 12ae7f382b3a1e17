"""A vector store and embeddings for LangChain: `pip install 'embsearch[langchain]'`."""

from embsearch.langchain.embeddings import EmbSearchEmbeddings
from embsearch.langchain.store import EmbSearchVectorStore

__all__ = ["EmbSearchEmbeddings", "EmbSearchVectorStore"]

"""Documents moved from other stores: `embsearch migrate`. See docs/how-to/migrate-from-qdrant.md and its sisters."""

from embsearch.migrate.carrying import LeftOut
from embsearch.migrate.chroma import chroma_rows
from embsearch.migrate.pgvector import pgvector_rows
from embsearch.migrate.qdrant import qdrant_rows

__all__ = ["LeftOut", "chroma_rows", "pgvector_rows", "qdrant_rows"]

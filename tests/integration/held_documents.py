"""Documents of a namespace that somebody else holds: what would change them fails."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

from embedding_project.config import load_config


@contextmanager
def held_documents(namespace_key: int, named: str = "%") -> Iterator[None]:
    """`named`: a pattern of their ids."""
    with psycopg.connect(load_config().database_url) as other:
        other.execute(
            "SELECT 1 FROM document WHERE namespace_id = %s AND doc_id LIKE %s FOR UPDATE", [namespace_key, named]
        )
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 50")
        try:
            yield
        finally:
            connection.close()
            other.rollback()

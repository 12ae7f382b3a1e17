"""The words of a query, marked in pieces of the texts of its hits, as far as the time goes."""

import time
from collections.abc import Sequence
from dataclasses import replace

from django.db import OperationalError
from psycopg import errors

from embeddings_app.database.patience import answered_by
from embeddings_app.models import Namespace
from embeddings_app.records.highlights import pieces
from embeddings_app.services.search.hydration import SearchHit

HIGHLIGHT_SECONDS = 0.3
_LATE = ("the pieces of the texts were not made in time; ask for fewer hits",)


def highlighted(
    hits: Sequence[SearchHit], marked: str, space: Namespace, deadline: float
) -> tuple[tuple[SearchHit, ...], tuple[str, ...]]:
    """The hits with pieces of their texts, and what there is to say. `marked` is a query of Postgres."""
    if not hits or not marked:
        return tuple(hits), ()
    until = min(deadline, time.monotonic() + HIGHLIGHT_SECONDS)
    try:
        with answered_by(until):
            found = pieces(space.pk, space.text_search, marked, [hit.doc_id for hit in hits])
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled) and time.monotonic() >= until:
            return tuple(hits), _LATE
        raise
    return tuple(replace(hit, highlights=found.get(hit.doc_id, ())) for hit in hits), ()

"""Namespaces: made by the first write, with the metadata fields their documents use."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from django.db import connection

from embeddings_app.models import Namespace


def claim_namespace(name: str, model_id: str) -> Namespace:
    """The namespace of that name, made with this model at the first write."""
    found = Namespace.objects.filter(name=name).first()
    if found is not None:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO namespace (name, model_id, store_text, fields, created_at)
            VALUES (%s, %s, true, '{}', now()) ON CONFLICT (name) DO NOTHING
            """,
            [name, model_id],
        )
    return Namespace.objects.get(name=name)


def claim_fields(space: Namespace, wanted: Sequence[AbstractSet[str]], limit: int) -> list[bool]:
    """Record the metadata fields of documents; of each, whether its fields fit in `limit` for the namespace."""
    if set().union(*wanted) <= set(space.fields):
        return [True] * len(wanted)
    row = Namespace.objects.select_for_update(no_key=True).get(pk=space.pk)
    known = set(row.fields)
    fitting = []
    for fields in wanted:
        fits = len(known | fields) <= limit
        fitting.append(fits)
        known |= fields if fits else set()
    row.fields = sorted(known)
    row.save(update_fields=["fields"])
    return fitting

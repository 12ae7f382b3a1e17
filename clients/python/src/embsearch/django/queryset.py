"""Rows found by meaning, as a queryset."""

from collections.abc import Sequence
from typing import Any, Self, TypeVar, Unpack

from django.db.models import Case, FloatField, IntegerField, Model, QuerySet, Value, When

from embsearch.django.index import index_of
from embsearch.errors import NotFound
from embsearch.filters import FilterLike
from embsearch.search_request import SearchOptions

M = TypeVar("M", bound=Model)
DEFAULT_TOP_K = 50


class SemanticQuerySet(QuerySet[M]):
    """`objects = SemanticQuerySet.as_manager()` of a model with a search index."""

    def semantic(self, text: str, *, where: FilterLike = None, **how: Unpack[SearchOptions]) -> Self:
        """The rows nearest in meaning, the nearest first, each with its `score`. The service is asked now, for `top_k`
        (50) rows; what `filter` of the queryset leaves out, before or after, is missing among these. `where` filters in
        the service by metadata, so it costs no rows: F.lang == "en". `how` is what else a search takes. Raises
        EmbsearchError."""
        index = index_of(self.model)
        asked: SearchOptions = {"top_k": DEFAULT_TOP_K, **how, "filter": where, "include": ()}
        try:
            hits = index.space().search(text, **asked)
        except NotFound as error:
            if error.code != "unknown_namespace":
                raise
            return self.none()  # nothing was ever written there
        found = [(hit.id.removeprefix(index.prefix), hit.score) for hit in hits if hit.id.startswith(index.prefix)]
        to_python = index.model._meta.pk.to_python
        return self._ranked([(to_python(key), score) for key, score in found])

    def _ranked(self, found: Sequence[tuple[Any, float]]) -> Self:
        if not found:
            return self.none()
        places = [When(pk=key, then=Value(place)) for place, (key, _) in enumerate(found)]
        scores = [When(pk=key, then=Value(score)) for key, score in found]
        return (
            self.filter(pk__in=[key for key, _ in found])
            .annotate(score=Case(*scores, output_field=FloatField()))
            .order_by(Case(*places, output_field=IntegerField()))
        )

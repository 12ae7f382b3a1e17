"""LlamaIndex's filters as those of the service."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from embsearch.filters import F, Field, Filter
from embsearch.llamaindex.shapes import NODE_ID, REF_DOC_ID

_MOST_VALUES = 256
"""Of one `in` of the service."""
_COMPARED: dict[FilterOperator, Callable[[Field, Any], Any]] = {
    FilterOperator.EQ: eq,
    FilterOperator.NE: ne,
    FilterOperator.GT: gt,
    FilterOperator.GTE: ge,
    FilterOperator.LT: lt,
    FilterOperator.LTE: le,
    FilterOperator.CONTAINS: lambda field, value: field.contains(value),
}


def service_filter(
    filters: MetadataFilters | None,
    node_ids: Sequence[str] | None = None,
    ref_doc_ids: Sequence[str] | None = None,
) -> Filter | None:
    """All of it must hold; None for no filter. Raises ValueError for what the service does not compare."""
    parts = [] if filters is None or not filters.filters else [_combination(filters)]
    if node_ids is not None:
        parts.append(among(F[NODE_ID], node_ids))
    if ref_doc_ids is not None:
        parts.append(among(F[REF_DOC_ID], ref_doc_ids))
    return reduce(and_, parts) if parts else None


def _combination(filters: MetadataFilters) -> Filter:
    parts = [_combination(one) if isinstance(one, MetadataFilters) else _condition(one) for one in filters.filters]
    if filters.condition == FilterCondition.NOT:
        return ~reduce(and_, parts)
    return reduce(or_ if filters.condition == FilterCondition.OR else and_, parts)


def _condition(one: MetadataFilter) -> Filter:
    field, value = Field(one.key), one.value
    if one.operator == FilterOperator.IS_EMPTY:
        return field.exists(False)
    if one.operator in (FilterOperator.EQ, FilterOperator.NE) and value is None:
        return field.exists(one.operator == FilterOperator.NE)
    if one.operator in _COMPARED:
        test: Filter = _COMPARED[one.operator](field, value)
        return test
    values = value if isinstance(value, list) else [value]
    if one.operator == FilterOperator.IN:
        return among(field, values)
    if one.operator == FilterOperator.NIN:
        return ~among(field, values)
    if one.operator in (FilterOperator.ANY, FilterOperator.ALL):
        combine = or_ if one.operator == FilterOperator.ANY else and_
        return reduce(combine, [field.contains(item) for item in values])
    raise ValueError(f"the service has no {one.operator.value!r}; it compares values, not parts of texts")


def among(field: Field, values: Sequence[Any]) -> Filter:
    """None of no values."""
    if not values:
        return field.exists() & field.exists(False)
    parts = [values[start : start + _MOST_VALUES] for start in range(0, len(values), _MOST_VALUES)]
    return reduce(or_, [field.in_(part) for part in parts])

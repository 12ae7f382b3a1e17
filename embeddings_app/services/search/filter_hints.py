"""What of a filter is probably not meant: fields that no document has, values of a kind that no document holds."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from django.db import InterfaceError, OperationalError

from embedding_project.contracts.filters import Condition, Filter, comparisons, typed
from embeddings_app.records.namespaces import kinds_of_fields

Kinds = Mapping[str, AbstractSet[str]]
_NAMES = {"str": "strings", "number": "numbers", "bool": "booleans", "list": "lists"}


def kinds_held(namespace_key: int) -> Kinds:
    """Field -> kinds of its values in some documents; none when Postgres cannot tell in time, since it is a hint."""
    try:
        return kinds_of_fields(namespace_key)
    except (OperationalError, InterfaceError):
        return {}


def filter_warnings(filter_: Filter | None, fields: Sequence[str], held: Kinds) -> tuple[str, ...]:
    """A line for each field that is not in `fields`, those of a namespace, and for each condition that no value of the
    kinds `held` can meet."""
    conditions = list(comparisons(filter_)) if filter_ is not None else []
    return (*_unknown_fields(conditions, fields), *dict.fromkeys(_other_kinds(conditions, held)))


def _unknown_fields(conditions: Sequence[Condition], fields: Sequence[str]) -> Iterator[str]:
    there_are = f"there are {', '.join(sorted(fields))}" if fields else "none has any"
    for path in sorted({condition.path for condition in conditions}.difference(fields)):
        yield f"no document has a field {path!r}; {there_are}"


def _other_kinds(conditions: Sequence[Condition], held: Kinds) -> Iterator[str]:
    for condition in conditions:
        kinds, wanted = held.get(condition.path, frozenset()), _wanted(condition)
        if kinds and kinds.isdisjoint(wanted):
            hint = "; 'contains' looks into lists" if "list" in kinds else ""
            test = f"{condition.operator!r} looks for {_said(wanted)}"
            yield f"{test} in {condition.path!r}, which holds {_said(kinds)}{hint}"


def _wanted(condition: Condition) -> AbstractSet[str]:
    if condition.operator == "contains":
        return {"list"}
    operands = condition.operand if isinstance(condition.operand, tuple) else (condition.operand,)
    return {typed(operand)[0] for operand in operands}


def _said(kinds: AbstractSet[str]) -> str:
    return " and ".join(_NAMES[kind] for kind in sorted(kinds))

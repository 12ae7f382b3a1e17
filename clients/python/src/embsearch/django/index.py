"""What of a model is searched: declared once, in `search_indexes.py` of an app."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet
from django.db.models.signals import post_delete, post_save

from embsearch.django.changes import note_change
from embsearch.django.conf import client
from embsearch.documents import Document
from embsearch.namespace import Namespace

_INDEXES: "dict[type[Model], SearchIndex]" = {}


class SearchIndex:
    """Override the methods where fields do not say enough. The id of a document is `app.model:pk`, so several models
    may share a namespace."""

    namespace: ClassVar[str]
    text_fields: ClassVar[tuple[str, ...]] = ()
    """Their texts, one below the other, are what is searched. `author__name` follows a relation."""
    metadata_fields: ClassVar[tuple[str, ...]] = ()
    """What searches can filter by; of `author__name` the name there is `author__name` too."""
    model_id: ClassVar[str | None] = None
    """Of the service; it counts when the first document makes the namespace."""

    def __init__(self, model: type[Model]) -> None:
        if not getattr(self, "namespace", ""):
            raise ImproperlyConfigured(f"{type(self).__name__} needs a namespace")
        self.model = model

    def queryset(self) -> QuerySet[Any]:
        """The rows that may be searched, with what their texts need: `select_related` belongs here."""
        return self.model._default_manager.all()

    def is_searched(self, row: Any) -> bool:  # noqa: ARG002
        """Whether this row is: False for a draft, for example. A row without any text never is."""
        return True

    def text(self, row: Any) -> str:
        return "\n\n".join(filter(None, (str(_value(row, path) or "") for path in self.text_fields)))

    def metadata(self, row: Any) -> Mapping[str, Any]:
        values = {path: plain(_value(row, path)) for path in self.metadata_fields}
        return {path: value for path, value in values.items() if value is not None}

    def document(self, row: Any) -> Document | None:
        """None for a row that is not searched."""
        if not self.is_searched(row):
            return None
        text = self.text(row).strip()
        return Document(self.doc_id(row.pk), text, self.metadata(row)) if text else None

    @property
    def label(self) -> str:
        return self.model._meta.label_lower

    @property
    def prefix(self) -> str:
        """Of the ids of its documents."""
        return f"{self.label}:"

    def doc_id(self, pk: object) -> str:
        return f"{self.prefix}{pk}"

    def space(self) -> Namespace:
        return client().namespace(self.namespace)


Index = TypeVar("Index", bound=type[SearchIndex])


def register(model: type[Model]) -> Callable[[Index], Index]:
    """Saved and deleted rows of the model are followed from now on."""

    def follow(index: Index) -> Index:
        if model in _INDEXES:
            raise ImproperlyConfigured(f"{model._meta.label} has an index already")
        _INDEXES[model] = index(model)
        for signal in (post_save, post_delete):
            signal.connect(note_change, sender=model, dispatch_uid=f"embsearch-{model._meta.label_lower}")
        return index

    return follow


def indexes() -> tuple[SearchIndex, ...]:
    return tuple(_INDEXES.values())


def index_of(model: type[Model]) -> SearchIndex:
    """Raises ImproperlyConfigured."""
    found = _INDEXES.get(model._meta.concrete_model or model)
    if found is None:
        raise ImproperlyConfigured(f"{model._meta.label} has no search index; register one in search_indexes.py")
    return found


def _value(row: Any, path: str) -> Any:
    """What `author__name` leads to; None behind a relation that is empty."""
    for name in path.split("__"):
        row = getattr(row, name) if row is not None else None
    return row


def plain(value: Any) -> Any:
    """As JSON has it. A relation is its primary key; a number with a fixed point becomes one of the service."""
    if isinstance(value, Model):
        return plain(value.pk)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    return value

"""Migrations only add, so that the code of the version before goes on writing rows while it is replaced."""

import pytest
from django.db.migrations import AddField, DeleteModel, Migration, RemoveField, RenameField, RenameModel, RunPython
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import BooleanField, Field, TextField

FIRST_RULED = "0024"
"""Earlier migrations are of a time before anything was released."""
_BREAKS_CODE_BEFORE = (DeleteModel, RemoveField, RenameField, RenameModel)


def faults(operation: Operation) -> list[str]:
    """What of an operation the code of the version before, or a busy table, would not stand."""
    if isinstance(operation, _BREAKS_CODE_BEFORE):
        return ["takes away what the version before uses: drop it one version later"]
    if isinstance(operation, RunPython):
        return ["fills rows: let a job do it, in batches"]
    if isinstance(operation, AddField):
        field: Field[object, object] = operation.field
        if not field.null and not field.has_db_default():
            return [f"{operation.model_name}.{operation.name} needs a db_default: the version before does not fill it"]
    return []


def ruled() -> list[Migration]:
    found = MigrationLoader(None).disk_migrations
    return [
        migration for (app, name), migration in sorted(found.items()) if app == "embeddings_app" and name >= FIRST_RULED
    ]


def test_migrations_only_add() -> None:
    assert ruled()
    assert [(one.name, fault) for one in ruled() for operation in one.operations for fault in faults(operation)] == []


@pytest.mark.parametrize(
    "operation",
    [
        AddField("document", "colour", TextField(default="red")),
        AddField("document", "bright", BooleanField()),
        RemoveField("document", "text"),
        RenameField("document", "text", "body"),
        DeleteModel("Document"),
        RunPython(RunPython.noop),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_the_version_before_does_not_stand_is_noticed(operation: Operation) -> None:
    assert faults(operation)


@pytest.mark.parametrize(
    "operation",
    [
        AddField("document", "colour", TextField(db_default="red")),
        AddField("document", "bright", BooleanField(null=True)),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_the_version_before_need_not_fill_is_fine(operation: Operation) -> None:
    assert faults(operation) == []

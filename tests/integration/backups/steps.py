"""Short names for what the tests of backups do. No instance runs on their database, so nothing has to settle."""

from pathlib import Path

from embeddings_app.records import table_copy
from embeddings_app.services.backups.making import make_backup
from embeddings_app.services.backups.restoring import Restored, Waits, restore_backup
from embeddings_app.services.documents.deleting import delete
from tests.integration.indexing_steps import NAMESPACE, index, put, rows

AT_ONCE = Waits(settle_seconds=0.0)


def silent(_: str) -> None:
    pass


def backup(directory: Path, model_root: Path | None = None) -> None:
    make_backup(directory, model_root, silent)


def restore(
    directory: Path, *, replace: bool = True, model_root: Path | None = None, waits: Waits = AT_ONCE
) -> Restored:
    return restore_backup(directory, model_root or directory, "command:tests", silent, replace=replace, waits=waits)


def state() -> dict[str, list[str]]:
    """Every row of every table, as text."""
    names = [*table_copy.copied_tables(), *table_copy.vector_partitions().values()]
    found = {name: sorted(row for (row,) in rows(f'SELECT t::text FROM "{name}" t')) for name in names}
    return {name: content for name, content in found.items() if content}


def write_some() -> None:
    put(*((f"d{number}", f"text {number}") for number in range(20)), metadata={"a": [1, "ü", None]})
    index()
    delete(NAMESPACE, "d3")
    put(("d4", "waits for its vector"))


def write_more() -> None:
    put(("d4", "another text"), ("d5", "changed"), ("new", "new"))
    index()
    delete(NAMESPACE, "d6")

"""Two neighbours in the history of the schema: what a rolling upgrade leaves running, and what it brings."""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

_MIGRATIONS = "embeddings_app/migrations"
_NO_CODE = (".*", "__pycache__", "tests", "docs", "benchmarks", "var", "build", "node_modules")
_ARRIVING = "9999_arriving"
_ARRIVING_CODE = """
from django.db import migrations

HOT = ("namespace", "document", "document_words", "embedding_record", "shard_change", "shard_counter", "shard_replica")


class Migration(migrations.Migration):
    dependencies = [("embeddings_app", "{newest}")]
    operations = [migrations.RunSQL("CREATE TABLE arriving (id bigint PRIMARY KEY)", "DROP TABLE arriving")] + [
        migrations.RunSQL(
            f"ALTER TABLE {{table}} ADD COLUMN arriving text NOT NULL DEFAULT 'new'",
            f"ALTER TABLE {{table}} DROP COLUMN arriving",
        )
        for table in HOT
    ]
"""
"""What a migration may do: a table, and columns that rows of the code before may lack."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    old: Path
    """The code that runs."""
    new: Path
    """The code whose migration arrives."""
    migration: str


def neighbours(folder: Path) -> Neighbours:
    """This checkout and the code before its newest migration. Where the history of the repository is not here, in a
    clone made with `--depth 1` or in files that were copied: this checkout, and a copy with one more migration."""
    if _export_previous_code(folder):
        return Neighbours(folder, ROOT, newest_migration(ROOT))
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_NO_CODE), dirs_exist_ok=True)
    migration = folder / _MIGRATIONS / f"{_ARRIVING}.py"
    migration.write_text(_ARRIVING_CODE.format(newest=newest_migration(ROOT)), encoding="utf-8")
    return Neighbours(ROOT, folder, _ARRIVING)


def newest_migration(checkout: Path) -> str:
    return max(path.stem for path in (checkout / _MIGRATIONS).glob("0*.py"))


def _export_previous_code(folder: Path) -> str:
    """Write the newest commit that lacks a migration of this checkout into `folder`; gives that commit, if there is
    one."""
    here = _names(path.name for path in (ROOT / _MIGRATIONS).glob("0*.py"))
    changes = _git("log", "--format=%H", "--", _MIGRATIONS, failing="").split()
    candidates = ["HEAD", *(f"{commit}^" for commit in changes)]
    commit = next((one for one in candidates if frozenset() < _migrations_of(one) < here), "")
    if not commit:
        return ""
    archive = folder / "previous.tar"
    _git("archive", "--output", str(archive), commit)
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", folder], check=True)
    archive.unlink()
    return commit


def _migrations_of(commit: str) -> frozenset[str]:
    return _names(_git("ls-tree", "--name-only", f"{commit}:{_MIGRATIONS}", failing="").split())


def _names(files: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in files if name.startswith("0"))


def _git(*arguments: str, failing: str | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and failing is not None:
        return failing
    assert done.returncode == 0, done.stderr
    return done.stdout

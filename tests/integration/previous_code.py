"""The repository as it was before its newest migration: what a rolling upgrade leaves running for a while."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.conftest import ROOT

_MIGRATIONS = "embeddings_app/migrations"


def export_previous_code(folder: Path) -> str:
    """Write the newest commit that lacks a migration of this checkout into `folder`; gives that commit. Gives nothing
    where the history of the repository is not: in a clone made with `--depth 1`, or in files that were copied."""
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

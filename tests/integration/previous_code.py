"""The repository as it was before its newest migration: what a rolling upgrade leaves running for a while."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.conftest import ROOT

_MIGRATIONS = "embeddings_app/migrations"


def export_previous_code(folder: Path) -> str:
    """Write the newest commit that lacks a migration of this checkout into `folder`; gives that commit.

    Needs the history of the repository: a clone made with `--depth 1` has none.
    """
    here = _names(path.name for path in (ROOT / _MIGRATIONS).glob("0*.py"))
    candidates = ["HEAD", *(f"{commit}^" for commit in _git("log", "--format=%H", "--", _MIGRATIONS).split())]
    commit = next((one for one in candidates if _migrations_of(one) < here), "")
    assert commit, "the history of the repository is not here; 'git fetch --unshallow' brings it"
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

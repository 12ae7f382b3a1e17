"""Every planted bug still fits the product, in a process like those of the roles."""

import os
import subprocess
import sys

from tests.chaos.cluster import PLANTED_FOLDER
from tests.conftest import ROOT

# Django first, as in the roles; the changes are then made to modules that nobody else of this process uses.
_PLANT_ALL = """
import importlib
import django
from planted_bugs import BUGS
django.setup()
for changes in BUGS.values():
    for module, change in changes.items():
        change(importlib.import_module(module))
"""
_PLANT_PARTIAL = """
import django
from planted_bugs import BUGS
django.setup()
from embeddings_app.services.search import searching
found = searching.SearchResult(
    mode="vector", hits=(), exhausted=True, shards_total=2, shards_failed=(1,), timings_ms={}, model_id="m",
    model_version=1, ef_search=1, text=None, rerank=None, vector_fault=None, warnings=()
)
searching.search = lambda request: found
BUGS["partial-never-said"]["embeddings_app.services.search.searching"](searching)
print(searching.search(None).shards_failed)
"""
_PLANT_ONE = """
import embedding_project.settings as settings
print(settings.DATABASES["default"]["OPTIONS"]["options"])
"""


def _python(code: str, **environ: str) -> str:
    done = subprocess.run(
        (sys.executable, "-c", code),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{PLANTED_FOLDER}:{ROOT}", **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_bug_changes_something_the_product_still_has() -> None:
    _python(_PLANT_ALL)


def test_the_bug_of_partial_answers_lies_and_does_not_fail() -> None:
    assert _python(_PLANT_PARTIAL).strip() == "()"


def test_a_bug_is_in_when_its_name_is_in_the_environment_and_else_not() -> None:
    assert "synchronous_commit=off" in _python(_PLANT_ONE, PLANTED_BUG="acknowledged-before-flush")
    assert "synchronous_commit=off" not in _python(_PLANT_ONE)

"""The structure of the code is promised like its behaviour: sizes, imports, one reader of the environment."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import ROOT

PACKAGES = ("bulk_ingest", "embedding_project", "embeddings_app", "embsearch", "index_nodes", "supervisor", "workers")
FOLDERS = {*PACKAGES, "clients"}
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_MEDIAN_LINES = 400, 60, 120
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "misc"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [ROOT / line for line in listed.stdout.split()]
    return [path for path in files if path.exists() and "migrations" not in path.parts]


ALL_FILES = _files()
FILES = [path for path in ALL_FILES if path.relative_to(ROOT).parts[0] in FOLDERS]
TESTS = [path for path in ALL_FILES if path.relative_to(ROOT).parts[0] == "tests"]
TREES = {path: ast.parse(path.read_text()) for path in FILES}
NODES = {path: list(ast.walk(tree)) for path, tree in TREES.items()}


def _functions() -> Iterator[tuple[Path, Function]]:
    for path, nodes in NODES.items():
        for node in nodes:
            if isinstance(node, Function):
                yield path, node


def test_files_are_small_and_whole() -> None:
    lines = {path: path.read_text().count("\n") for path in ALL_FILES}
    assert {str(path): count for path, count in lines.items() if count > MAX_FILE_LINES} == {}
    assert median(lines[path] for path in FILES) <= MAX_MEDIAN_LINES


def test_functions_fit_a_screen() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in _functions()
        if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


def _imported(node: ast.AST) -> set[str]:
    """The packages that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return {alias.name.split(".")[0] for alias in node.names} if isinstance(node, ast.Import) else set()


def test_no_first_party_import_hides_inside_a_function() -> None:
    hidden = [
        f"{path}:{node.lineno}"
        for path, function in _functions()
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and not _imported(node).isdisjoint(PACKAGES)
    ]
    assert hidden == []


@pytest.mark.parametrize(
    ("library", "file"),
    [("transformers", "workers/encoders/library.py"), ("huggingface_hub", "embedding_project/model_sources/hub.py")],
)
def test_what_takes_seconds_to_import_is_imported_by_one_function(library: str, file: str) -> None:
    """Processes that never use it start without it."""
    importers = {path for path, nodes in NODES.items() if any(library in _imported(node) for node in nodes)}
    assert importers == {ROOT / file}
    assert [node.lineno for node in TREES[ROOT / file].body if library in _imported(node)] == []


def test_one_file_reads_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path, nodes in NODES.items()
        if any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and _of_os(node) for node in nodes
        )
    ]
    # wsgi names the settings module to Django; everything else is the configuration's business. The Python client is a
    # program of its own.
    client = "clients/python/src/embsearch/connection.py"
    assert sorted(readers) == [client, "embedding_project/config.py", "embedding_project/wsgi.py"]


def _of_os(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "os"


def test_every_module_says_what_it_owns() -> None:
    silent = [str(path) for path, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_no_grab_bag_modules() -> None:
    assert [str(path) for path in FILES if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES] == []


@pytest.mark.parametrize("word", [r"\bpickle\b.*\b(load|dump)s?\(", r"trust_remote_code=True", r"task_always_eager"])
def test_what_must_not_be_used_is_not_used(word: str) -> None:
    assert [str(path) for path in FILES if re.search(word, path.read_text())] == []


@pytest.mark.parametrize("word", [r"monkeypatch\.set(attr|item)\(", r"\bmock\b.*\bpatch\b", r"ignore\[method-assign"])
def test_no_test_replaces_what_it_tests(word: str) -> None:
    """Clocks, waits, sizes and doubles are passed in. The bugs of a chaos run are planted on purpose."""
    patched = [path for path in TESTS if "planted" not in path.parts and re.search(word, path.read_text())]
    assert [str(path) for path in patched if path != Path(__file__)] == []

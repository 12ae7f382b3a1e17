"""The demo corpus: the docstrings of the standard library of the running interpreter.

Python sources are parsed, never imported; modules written in C are imported and inspected, since their docstrings stand
nowhere else.
"""

import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

_LEFT_OUT = {"__hello__", "__phello__", "antigravity", "idlelib", "lib2to3", "test", "this", "turtledemo"}
_MIN_LENGTH = 10
_MAX_LENGTH = 8_000
_SEED = 7


@dataclass(frozen=True, slots=True)
class Docstring:
    name: str
    """Dotted name, such as `pathlib.Path.glob`."""
    module: str
    kind: str
    """module, class, function or method."""
    text: str


def stdlib_docstrings(seen: Callable[[int, int], None]) -> list[Docstring]:
    """Every docstring, each name once, in an order that mixes the modules.

    `seen` hears how many of how many modules are read.
    """
    found: dict[str, Docstring] = {}
    modules = sorted(sys.stdlib_module_names - _LEFT_OUT)
    for number, module in enumerate(modules, 1):
        seen(number, len(modules))
        for docstring in _module_docstrings(module):
            found.setdefault(docstring.name, docstring)
    ordered = [found[name] for name in sorted(found)]
    random.Random(_SEED).shuffle(ordered)
    return ordered


def _module_docstrings(module: str) -> Iterator[Docstring]:
    spec = importlib.util.find_spec(module) if module not in sys.builtin_module_names else None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        yield from _inspected(module)
    elif spec.submodule_search_locations is None:
        yield from _parsed(Path(spec.origin), module)
    else:
        yield from _package_docstrings(Path(spec.origin).parent, module)


def _package_docstrings(folder: Path, package: str) -> Iterator[Docstring]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if not {"test", "tests", "site-packages"} & set(parts):
            yield from _parsed(path, ".".join([package, *(part for part in parts if part != "__init__")]))


def _parsed(path: Path, module: str) -> Iterator[Docstring]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        tree = ast.parse(path.read_bytes())
    yield from _docstring(module, module, "module", ast.get_docstring(tree))
    yield from _members(tree, module, module, in_class=False)


def _members(node: ast.Module | ast.ClassDef, prefix: str, module: str, *, in_class: bool) -> Iterator[Docstring]:
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}.{child.name}"
            kind = "class" if isinstance(child, ast.ClassDef) else "method" if in_class else "function"
            yield from _docstring(name, module, kind, ast.get_docstring(child))
            if isinstance(child, ast.ClassDef):
                yield from _members(child, name, module, in_class=True)


def _inspected(name: str) -> Iterator[Docstring]:
    try:
        module = importlib.import_module(name)
    except ImportError:
        return
    yield from _docstring(name, name, "module", module.__doc__)
    for member, value in _documented_members(module):
        kind = "class" if inspect.isclass(value) else "function"
        yield from _docstring(f"{name}.{member}", name, kind, getattr(value, "__doc__", None))
        if inspect.isclass(value):
            for method, function in _documented_members(value):
                yield from _docstring(f"{name}.{member}.{method}", name, "method", getattr(function, "__doc__", None))


def _documented_members(owner: ModuleType | type) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(vars(owner).items()):
        # The slots of C types (`__eq__`, `__getitem__` ...) all carry the same few sentences.
        if not name.startswith("__") and (inspect.isclass(value) or inspect.isroutine(value)):
            yield name, value


def _docstring(name: str, module: str, kind: str, text: object) -> Iterator[Docstring]:
    if isinstance(text, str) and len(text.strip()) >= _MIN_LENGTH:
        yield Docstring(name, module, kind, inspect.cleandoc(text)[:_MAX_LENGTH])

"""A program: imports every module of packages where only the distributions of an image are there.

Arguments: names of packages or modules, those that are left out with a `-` before them, then `--`, then the requirement
files of the image.
"""

import importlib
import importlib.metadata
import pkgutil
import re
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from packaging.requirements import Requirement


def installed(files: list[str]) -> set[str]:
    """The distributions that these files bring, with all that they need, by normalised name."""
    waiting = [
        Requirement(line.split("#")[0])
        for file in files
        for line in Path(file).read_text(encoding="utf-8").splitlines()
        if line.split("#")[0].strip()
    ]
    seen: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        for extra in ("", *one.extras):
            name = re.sub(r"[-_.]+", "-", one.name).lower()
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            needed = map(Requirement, importlib.metadata.requires(name) or [])
            waiting += [other for other in needed if not other.marker or other.marker.evaluate({"extra": extra})]
    return {name for name, _ in seen}


class Absent:
    """Finds nothing of what the image has not."""

    def __init__(self, there: set[str]) -> None:
        owners = importlib.metadata.packages_distributions()
        self._absent = {
            module
            for module, names in owners.items()
            if not {re.sub(r"[-_.]+", "-", name).lower() for name in names} & there
        }

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name in self._absent:
            raise ModuleNotFoundError(f"No module named {name!r} in this image", name=name)
        return None


def main() -> None:
    split = sys.argv.index("--")
    packages, files = sys.argv[1:split], sys.argv[split + 1 :]
    left_out = tuple(name.removeprefix("-") for name in packages if name.startswith("-"))
    there = installed(files)
    for name in [name for name in sys.modules if name.split(".")[0] in ("django", "packaging")]:
        del sys.modules[name]
    sys.meta_path.insert(0, Absent(there))
    if "django" in there:
        importlib.import_module("django").setup()
    for package in [name for name in packages if not name.startswith("-")]:
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}."):
            if found.name not in left_out and not found.name.startswith(tuple(f"{name}." for name in left_out)):
                importlib.import_module(found.name)


if __name__ == "__main__":
    main()

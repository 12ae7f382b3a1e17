"""What the files in `deploy/` start: each command, with the variables that it gets."""

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
SYSTEMD = sorted((DEPLOY / "systemd").glob("*.service"))
_WORKLOADS = {"Deployment", "StatefulSet", "Job"}
_STARTS = "/opt/embeddings/.venv/bin/python manage.py "


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """One process."""

    where: str
    command: tuple[str, ...]
    """What follows manage.py."""
    variables: Mapping[str, str]
    image: str = ""


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def of_compose() -> list[Started]:
    """The services that run an image of this project."""
    return [
        Started(where=name, command=tuple(one["command"]), variables=one["environment"], image=one["build"]["target"])
        for name, one in compose()["services"].items()
        if "build" in one
    ]


def manifests() -> list[dict[str, Any]]:
    """Every object below `deploy/kubernetes`, without what kustomize itself reads."""
    files = [path for path in sorted(KUBERNETES.rglob("*.yaml")) if path.name != "kustomization.yaml"]
    return [found for path in files for found in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def kustomization(name: str = "base") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((KUBERNETES / name / "kustomization.yaml").read_text(encoding="utf-8"))
    return loaded


def workloads() -> list[dict[str, Any]]:
    return [found for found in manifests() if found["kind"] in _WORKLOADS]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for workload in workloads():
        for container in workload["spec"]["template"]["spec"]["containers"]:
            yield workload["metadata"]["name"], container


def of_kubernetes() -> list[Started]:
    (generated,) = kustomization()["configMapGenerator"]
    shared = dict(literal.split("=", 1) for literal in generated["literals"])
    return [
        Started(
            where=name,
            command=tuple(one["args"]),
            variables=shared | {item["name"]: item.get("value", "from elsewhere") for item in one["env"]},
            image=one["image"].removeprefix("embeddings-"),
        )
        for name, one in containers()
    ]


class _AsWritten(configparser.ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit(path: Path) -> configparser.ConfigParser:
    """A unit of systemd; of an option that stands there more than once the last one."""
    parser = _AsWritten(strict=False, interpolation=None)
    parser.read(path, encoding="utf-8")
    return parser


def of_systemd() -> list[Started]:
    found = []
    for path in SYSTEMD:
        service = unit(path)["Service"]
        assert service["ExecStart"].startswith(_STARTS), path
        command = service["ExecStart"].removeprefix(_STARTS).replace("%i", "0").split()
        variables = dict(part.split("=", 1) for part in service["Environment"].split())
        found.append(Started(where=path.name, command=tuple(command), variables=variables))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the Dockerfile."""

    name: str
    base: str
    lines: tuple[str, ...]

    def all_of(self, instruction: str) -> list[str]:
        return [line.removeprefix(instruction).strip() for line in self.lines if line.startswith(f"{instruction} ")]


def dockerfile() -> dict[str, Stage]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages: dict[str, Stage] = {}
    for line in lines:
        if begins := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            stages[begins[2]] = Stage(name=begins[2], base=begins[1], lines=())
        elif stages:
            last = list(stages.values())[-1]
            stages[last.name] = Stage(name=last.name, base=last.base, lines=(*last.lines, line))
    return stages

"""The alert rules, and the query of the scaler: they ask for metrics that exist, by labels that these have."""

import re
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.unit.deploy.started import DEPLOY, manifests
from tests.unit.docs.known_metrics import metric_names, metrics_in

GROUPS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
SCALER = [
    trigger["metadata"]["query"]
    for found in manifests()
    if found["kind"] == "ScaledObject"
    for trigger in found["spec"]["triggers"]
]
QUERIES = [*[rule["expr"] for rule in RULES], *SCALER]


def labels_of(metric: str) -> set[str]:
    """As the reference has them."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{metric}(?:_total)?` \| \w+ \| ([^|]*)\|", page, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row[1])) if row else set()


def test_every_rule_is_whole_and_has_a_name_of_its_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 10
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[mh]", rule["for"])


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_that_exist(query: str) -> None:
    assert metrics_in([query])
    assert metrics_in([query]) <= metric_names()
    assert query.count("(") == query.count(")")


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_labels_that_its_metrics_have(query: str) -> None:
    named = {label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")}
    named |= set(re.findall(r'(\w+)(?:=~|!=|=)"', query))
    known = {label for metric in metrics_in([query]) for label in labels_of(metric)}
    assert named - {"le"} <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_summary_names_labels_that_its_query_keeps(rule: dict[str, Any]) -> None:
    kept = {label.strip() for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in group.split(",")}
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= kept

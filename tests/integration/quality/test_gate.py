"""The gate: what stops a version, what is only said, and which measurement counts."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from embeddings_app.models import ModelRegistry
from embeddings_app.records.measurements import (
    KEPT_MEASUREMENTS,
    Measured,
    add_measurement,
    newest_measurement,
    newest_recalls,
)
from embeddings_app.services.quality.gate import gate_verdict
from tests.integration.indexing_steps import rows
from tests.integration.quality.quality_steps import active_version

GOOD = Measured(
    queries=50,
    searches=50,
    synthetic=0,
    small=0,
    recall=0.99,
    latency_p50_ms=10.0,
    latency_p99_ms=20.0,
    overlap=0.6,
    slowdown=1.1,
    judged_queries=100,
    ndcg=0.42,
    ndcg_before=0.40,
)


@pytest.fixture
def old(database: str) -> ModelRegistry:
    return active_version()


@pytest.fixture
def new(old: ModelRegistry) -> Iterator[ModelRegistry]:
    made = ModelRegistry.objects.create(
        model_id="gated", version=2, type="transformers", artifact="hashing:", dimension=8
    )
    yield made
    made.delete()


def judge(old: ModelRegistry, new: ModelRegistry, measured: Measured) -> tuple[str, ...]:
    add_measurement(new.pk, old.pk, measured)
    return gate_verdict(old, new).reasons


def test_a_good_version_passes_and_shows_its_figures(old: ModelRegistry, new: ModelRegistry) -> None:
    add_measurement(new.pk, old.pk, GOOD)
    verdict = gate_verdict(old, new)
    assert (verdict.passed, verdict.reasons, verdict.notes, verdict.figures) == (True, (), (), GOOD)


def test_a_version_that_was_not_measured_does_not_pass(old: ModelRegistry, new: ModelRegistry) -> None:
    add_measurement(new.pk, None, GOOD)
    verdict = gate_verdict(old, new)
    assert (verdict.passed, verdict.figures) == (False, None)
    assert verdict.reasons == (f"gated v2 was not measured beside {old} yet",)


def test_a_measurement_counts_for_an_hour(old: ModelRegistry, new: ModelRegistry) -> None:
    add_measurement(new.pk, old.pk, GOOD)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE version_measurement SET taken_at = now() - interval '61 minutes'")
    assert gate_verdict(old, new).reasons == (
        "gated v2 was last measured 61 minutes ago; a measurement counts for an hour",
    )


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"recall": 0.94}, "searches find 0.940 of the ten nearest documents; 0.95 are asked for"),
        ({"overlap": 0.29}, "it shares 0.29 of the first ten hits with "),
        ({"slowdown": 2.1}, "a search takes 2.1 times as long as with "),
        ({"ndcg": 0.37}, "nDCG@10 falls from 0.400 to 0.370 over 100 judged queries; a fall of 0.02 is allowed"),
        ({"searches": 44}, "only 44 of 50 searches were answered in time"),
        ({"searches": 0, "recall": None}, "only 0 of 50 searches were answered in time"),
    ],
)
def test_each_figure_can_stop_it(old: ModelRegistry, new: ModelRegistry, figures: dict[str, Any], reason: str) -> None:
    (said,) = judge(old, new, replace(GOOD, **figures))
    assert said.startswith(reason)


def test_a_figure_at_its_threshold_passes_and_thresholds_are_those_of_the_new_version(
    old: ModelRegistry, new: ModelRegistry
) -> None:
    assert judge(old, new, replace(GOOD, recall=0.95, overlap=0.3, slowdown=2.0, searches=45)) == ()
    new.gate_overlap, new.gate_recall = 0.7, 0.995
    assert len(judge(old, new, GOOD)) == 2


def test_several_reasons_are_all_told(old: ModelRegistry, new: ModelRegistry) -> None:
    assert len(judge(old, new, replace(GOOD, recall=0.5, overlap=0.0, slowdown=9.0, ndcg=0.0))) == 4


def test_the_verdict_says_what_its_figures_are_worth(old: ModelRegistry, new: ModelRegistry) -> None:
    add_measurement(
        new.pk, old.pk, replace(GOOD, queries=30, searches=30, synthetic=20, small=5, judged_queries=0, ndcg=None)
    )
    verdict = gate_verdict(old, new)
    assert verdict.passed
    assert [note.split(",")[0] for note in verdict.notes] == [
        "20 of 30 queries were made from the first sentences of documents",
        "there were 30 queries to search with; 50 are asked for",
        "5 of 30 searches found fewer than ten documents: there both versions find all there is",
        "there are no judgements of people",
    ]


def test_a_model_without_documents_has_nothing_to_compare(old: ModelRegistry, new: ModelRegistry) -> None:
    add_measurement(new.pk, old.pk, Measured(queries=0, searches=0, synthetic=0, small=0))
    verdict = gate_verdict(old, new)
    assert (verdict.passed, len(verdict.notes)) == (True, 1)


def test_the_first_version_of_a_model_is_judged_alone(new: ModelRegistry) -> None:
    assert gate_verdict(None, new).reasons == ("gated v2 was not measured yet",)
    add_measurement(new.pk, None, replace(GOOD, overlap=None, slowdown=None, ndcg_before=None))
    assert gate_verdict(None, new).passed
    add_measurement(new.pk, None, replace(GOOD, recall=0.9))
    assert not gate_verdict(None, new).passed


def test_the_history_of_measurements_is_bounded(old: ModelRegistry, new: ModelRegistry) -> None:
    add_measurement(new.pk, None, replace(GOOD, recall=0.5))
    for number in range(KEPT_MEASUREMENTS + 5):
        add_measurement(new.pk, old.pk, replace(GOOD, searches=number))
    kept = rows("SELECT min(searches), count(*) FROM version_measurement WHERE compared_with_id = %s", old.pk)
    assert kept == [(5, KEPT_MEASUREMENTS)]
    newest = [newest_measurement(new.pk, beside) for beside in (old.pk, None)]
    assert [found and found.measured.searches for found in newest] == [KEPT_MEASUREMENTS + 4, 50]


def test_the_recall_shown_is_the_newest_of_searches_of_clients(old: ModelRegistry) -> None:
    for recall, synthetic in ((0.8, 0), (0.9, 0), (0.1, 20)):
        add_measurement(old.pk, None, replace(GOOD, recall=recall, synthetic=synthetic))
    add_measurement(old.pk, None, replace(GOOD, recall=None))
    assert [(item.version, item.recall) for item in newest_recalls() if item.model_id == old.model_id] == [(1, 0.9)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE version_measurement SET taken_at = now() - interval '3 hours'")
    assert newest_recalls() == []

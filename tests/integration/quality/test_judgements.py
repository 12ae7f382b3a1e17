"""Judgements of a namespace: replaced as a whole, and the same part of them each time."""

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.records.judgements import judged_namespaces, judged_queries
from embeddings_app.services.quality.judgement_files import Judgements
from embeddings_app.services.quality.judging import Kept, keep_judgements, score
from tests.integration.indexing_steps import NAMESPACE
from tests.integration.quality.quality_steps import MODEL, namespace_key


def judgements(*names: str) -> Judgements:
    return Judgements(
        {name: f"text of {name}" for name in names}, {name: {"a document": 2, "x": 0} for name in names}, 0
    )


def test_new_judgements_replace_those_before(database: str) -> None:
    key = namespace_key()
    keep_judgements(NAMESPACE, judgements("old 1", "old 2"))
    assert keep_judgements(NAMESPACE, judgements("new")) == Kept(1, 2, 2, missing=1)
    (kept,) = judged_queries(key)
    assert (kept.text, kept.relevance) == ("text of new", {"a document": 2, "x": 0})
    assert judged_namespaces(MODEL) == [key]
    assert judged_namespaces("other") == []


def test_a_part_of_the_judgements_is_always_the_same(database: str) -> None:
    key = namespace_key()
    keep_judgements(NAMESPACE, judgements(*(f"q{number:02}" for number in range(40))))
    part = [query.text for query in judged_queries(key, 10)]
    assert part == [query.text for query in judged_queries(key, 10)]
    assert len(part) == 10
    assert part != [query.text for query in judged_queries(key)][:10]


def test_a_namespace_without_judgements_has_no_score(database: str) -> None:
    namespace_key()
    with pytest.raises(ServiceError, match="has no judgements"):
        score(NAMESPACE, 1, 5.0)
    with pytest.raises(ServiceError, match="has no version 99"):
        score(NAMESPACE, 99, 5.0)

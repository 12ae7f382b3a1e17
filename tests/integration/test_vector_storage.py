"""A version whose nodes hold rounded vectors: its answers have the scores of the exact ones, and it comes to be as any
other version does."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector, from_bytes, unit_length
from embeddings_app import registry
from embeddings_app.models import Layout, LayoutStatus, ModelRegistry, Namespace
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.search.hydration import Merged, SearchHit, Shown, verified_hits
from index_nodes import log_reader
from index_nodes.graph_storage import storage_of
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.log_follower import Follower, Pace
from index_nodes.snapshot_writer import write_snapshot
from index_nodes.version_index import VersionIndex
from index_nodes.version_replica import LoadPace
from tests.integration.indexing_steps import embed, embedded, index, rows
from tests.integration.reembedding_steps import (
    SPACE,
    Versions,
    forget_model,
    new_model,
    rewrite,
    start,
    status,
    work,
    write,
)
from tests.integration.test_index_node import REPLICA, SHARD, log_key, until
from tests.integration.test_snapshot_restart import loads
from tests.unit.index_nodes.builders import build_all, spec

DOCUMENTS = [f"text {number}" for number in range(700)]


@pytest.fixture
def versions(database: str) -> Iterator[Versions]:
    """The second version differs in its storage alone."""
    first, second = new_model()
    ModelRegistry.objects.filter(pk=second.pk).update(dimension=first.dimension, storage="fp16")
    second.refresh_from_db()
    yield first, second
    forget_model(first)


@contextmanager
def layout_in_building() -> Iterator[None]:
    """The layout does not answer; afterwards, for other tests, it does."""
    Layout.objects.update(status=LayoutStatus.BUILDING)
    try:
        yield
    finally:
        Layout.objects.update(status=LayoutStatus.ACTIVE)


@pytest.fixture
def connection(database: str) -> Iterator[log_reader.Connection]:
    with log_reader.connect(database, "test-node") as opened:
        yield opened


@pytest.fixture
def follower(database: str, tmp_path: Path) -> Iterator[Follower]:
    (tmp_path / "node").mkdir()
    made = Follower(database, SHARD, REPLICA, tmp_path / "node")
    yield made
    made._drop(lambda _: True)


def filled(versions: Versions) -> None:
    """All documents under both versions."""
    first, second = versions
    for start_at in range(0, len(DOCUMENTS), 100):
        write(first, *DOCUMENTS[start_at : start_at + 100])
    index()
    run = start(second)
    work(run)
    assert (run.state, status(second)) == ("finished", "shadow")


def followed(follower: Follower, connection: log_reader.Connection, version: ModelRegistry) -> VersionIndex:
    def ready() -> bool:
        served = follower.serving.versions.get(log_key(version.pk))
        return served is not None and served.answers(time.monotonic())

    follower.round(connection)
    until(follower, connection, ready)
    found = follower.serving.index(log_key(version.pk), follower.serving.epoch, time.monotonic())
    assert found is not None
    return found


def shown(version: ModelRegistry, found: ShardHits, query: Vector) -> list[SearchHit]:
    rounded = registry.spec_of(version).storage is not VectorStorage.FP32
    space = Namespace.objects.get(name=SPACE).pk
    what = Shown(namespace_key=space, version_key=version.pk, filter=None, include=frozenset(), rounded=rounded)
    return verified_hits([Merged([found], len(found.scores), what, query)])[0]


def test_a_version_of_another_storage_is_filled_and_answers_with_the_same_scores(
    versions: Versions, follower: Follower, connection: log_reader.Connection
) -> None:
    filled(versions)
    space = Namespace.objects.get(name=SPACE).pk
    answers = []
    query = unit_length(np.ones(versions[0].dimension, np.float32))
    for version in versions:
        held = followed(follower, connection, version)
        assert held.storage == version.storage
        build_all(held)
        (graph,) = (one for one in held._collections[space].segments if isinstance(one, HnswSegment))
        assert storage_of(graph._graph) == version.storage
        answers.append(shown(version, held.search(space, query[np.newaxis], spec(30))[0], query)[:10])
    assert answers[0] == answers[1]
    assert len(answers[0]) == 10
    vector = embedded(answers[1][0].doc_id, versions[0].dimension).vector
    assert vector is not None
    assert answers[1][0].score == pytest.approx(float(unit_length(vector) @ query), abs=1e-6)


def test_scores_of_a_node_are_not_believed_when_its_vectors_are_rounded(versions: Versions) -> None:
    filled(versions)
    first, second = versions
    keys = dict(rows("SELECT doc_id, id FROM document"))
    query = unit_length(np.ones(first.dimension, np.float32))
    wrong = ShardHits(
        np.array([0.9, 0.8, 0.7], np.float32), np.array([keys[text] for text in DOCUMENTS[:3]]), np.ones(3, np.int32)
    )
    vectors = np.concatenate([[embedded(text, first.dimension).vector] for text in DOCUMENTS[:3]])
    exact = np.round(unit_length(vectors) @ query, 5)
    assert [hit.score for hit in shown(first, wrong, query)] == pytest.approx([0.9, 0.8, 0.7])
    hits = shown(second, wrong, query)
    assert [hit.score for hit in hits] == pytest.approx(sorted(exact, reverse=True), abs=1e-5)
    assert [hit.doc_id for hit in hits] == [DOCUMENTS[place] for place in np.argsort(-exact, kind="stable")]


def test_a_snapshot_of_another_storage_costs_a_load_from_postgres(
    versions: Versions, database: str, tmp_path: Path, connection: log_reader.Connection
) -> None:
    filled(versions)
    (tmp_path / "node").mkdir()
    follower = Follower(database, SHARD, REPLICA, tmp_path / "node")
    followed(follower, connection, versions[1])
    (source,) = (one for one in follower.snapshot_sources() if one.log.version_key == versions[1].pk)
    folder = write_snapshot(source)
    rows("UPDATE model_registry SET storage = 'sq8' WHERE id = %s RETURNING id", versions[1].pk)
    before = loads("postgres")
    assert followed(follower, connection, versions[1]).storage is VectorStorage.SQ8
    assert loads("postgres") > before
    assert not folder.exists()
    follower._drop(lambda _: True)


class CountedEmbed:
    """Embeds as the other tests do, unless its model has been replaced, and counts the texts."""

    def __init__(self, replaced: bool = False) -> None:
        self.texts = 0
        self._suffix = " by other weights" if replaced else ""

    def __call__(self, spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        self.texts += len(texts)
        return embed(spec, [text + self._suffix for text in texts])


def refilled(versions: Versions, counted: CountedEmbed) -> int:
    """How many texts a run of 100 documents embeds for the second version."""
    write(versions[0], *DOCUMENTS[:100])
    index()
    run = start(versions[1])
    work(run, counted)
    assert (run.state, status(versions[1])) == ("finished", "shadow")
    return counted.texts


def stored(version: ModelRegistry) -> dict[str, Vector]:
    found = rows(
        "SELECT d.doc_id, v.vector FROM embedding_vector v JOIN document d ON d.id = v.document_id "
        "WHERE v.model_version_id = %s", version.pk
    )  # fmt: skip
    return {doc_id: from_bytes(bytes(vector), version.dimension)[0] for doc_id, vector in found}


def same_documents(versions: Versions) -> bool:
    """Whether both versions have the same vectors of the same documents, but for the last bit."""
    first, second = map(stored, versions)
    return first.keys() == second.keys() and all(np.allclose(first[key], second[key], atol=1e-6) for key in first)


def test_another_storage_takes_the_vectors_that_are_there(versions: Versions) -> None:
    assert refilled(versions, CountedEmbed()) <= 4, "one text of each batch is embedded, to be compared"
    assert same_documents(versions)
    assert len(stored(versions[1])) == 100


def test_vectors_of_a_model_whose_files_were_replaced_are_not_taken(versions: Versions) -> None:
    assert refilled(versions, CountedEmbed(replaced=True)) == 100
    before, after = stored(versions[0]), stored(versions[1])
    assert not any(np.allclose(before[doc_id], after[doc_id], atol=0.01) for doc_id in DOCUMENTS[:100])


def test_vectors_of_a_version_that_differs_in_more_are_not_taken(versions: Versions) -> None:
    ModelRegistry.objects.filter(pk=versions[1].pk).update(max_tokens=64)
    assert refilled(versions, CountedEmbed()) == 100


def test_a_text_that_changed_since_then_is_embedded(versions: Versions) -> None:
    first, second = versions
    write(first, *DOCUMENTS[:10])
    index()
    rewrite(first, DOCUMENTS[3], "a text without a vector yet")
    run, counted = start(second), CountedEmbed()
    work(run, counted)
    index()
    work(run, counted)
    assert run.state == "finished"
    assert same_documents(versions)


@pytest.mark.parametrize("patience", [60.0, 0.0], ids=["builds come", "no build comes"])
def test_a_load_of_rounded_vectors_waits_for_builds_that_come(
    versions: Versions, database: str, tmp_path: Path, connection: log_reader.Connection, patience: float
) -> None:
    filled(versions)
    (tmp_path / "node").mkdir()
    pace = Pace(load=LoadPace(rows=50, most_unbuilt=300, build_seconds=patience))
    follower = Follower(database, SHARD, REPLICA, tmp_path / "node", pace)
    for _ in range(40):
        follower.round(connection)
    exact, rounded = (follower.serving.versions[log_key(version.pk)].index for version in versions)
    documents = exact.tally()[0]
    assert documents > 300
    assert rounded.tally()[0] == (300 if patience else documents)
    build_all(rounded)
    assert followed(follower, connection, versions[1]).tally()[0] == documents
    follower._drop(lambda _: True)


def test_a_load_that_no_search_waits_for_waits_longer_for_its_slower_builds(
    versions: Versions, database: str, tmp_path: Path, connection: log_reader.Connection
) -> None:
    filled(versions)
    keys = [log_key(version.pk) for version in versions]
    (tmp_path / "node").mkdir()
    pace = LoadPace(spare_rows=50, spare_share=1.0, turn_seconds=0, most_unbuilt=300, build_seconds=0.0)
    follower = Follower(database, SHARD, REPLICA, tmp_path / "node", Pace(load=pace))
    with layout_in_building():
        for _ in range(60):
            follower.round(connection)
    exact, rounded = (follower.serving.versions[key].index.tally()[0] for key in keys)
    follower._drop(lambda _: True)
    assert exact > rounded == 300


def test_the_storage_is_fixed_once_there_are_vectors(versions: Versions) -> None:
    first, second = versions
    second.storage = VectorStorage.SQ8
    second.full_clean()
    first.storage = VectorStorage.FP16
    with pytest.raises(ValidationError, match="The graphs of this version are fp32: register another version for fp16"):
        first.full_clean()


def test_it_is_registered_with_its_storage(versions: Versions) -> None:
    name = versions[0].model_id
    options = ("register_model", "--model-id", name, "--type", "external", "--dimension", "8")
    call_command(*options, "--storage", "sq8", stdout=StringIO())
    call_command(*options, stdout=StringIO())
    newest, before = ModelRegistry.objects.filter(model_id=name)[:2]
    assert (before.storage, newest.storage) == ("sq8", "fp32")
    assert registry.spec_of(before).storage is VectorStorage.SQ8
    with pytest.raises(CommandError, match="invalid choice: 'pq'"):
        call_command(*options, "--storage", "pq", stdout=StringIO())

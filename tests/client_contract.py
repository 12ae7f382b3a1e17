"""What the Python client and a server do together. The same tests run against the double that the client ships and
against a running instance, so that tests with the double say what the service does.
"""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from embsearch import (
    AsyncClient,
    AsyncNamespace,
    Client,
    Conflict,
    Document,
    F,
    Filter,
    InvalidRequest,
    Namespace,
    NotFound,
)

ANIMALS = [
    Document("fox", "Foxes live in dens.", {"lang": "en", "legs": 4, "tags": ["red"], "author": {"name": "Ann"}}),
    Document("owl", "Owls hunt at night.", {"lang": "en", "legs": 2, "tags": []}),
    Document("wal", "Wale singen im Meer.", {"lang": "de", "legs": 0}),
    Document("ant", "Ants carry leaves.", {"lang": "en", "legs": 6, "draft": True}),
]


@dataclass(frozen=True, slots=True)
class Place:
    """A server, by the clients that reach it."""

    client: Callable[[], Client]
    async_client: Callable[[], AsyncClient]


class Contract:
    """A subclass has a fixture `place`."""

    @pytest.fixture
    def client(self, place: Place) -> Iterator[Client]:
        with place.client() as client:
            yield client


class NamespacesContract(Contract):
    def test_namespaces_are_made_listed_and_dropped(self, client: Client) -> None:
        names = sorted(f"made-{uuid4().hex[:12]}" for _ in range(3))
        for name in names:
            client.namespaces.create(name)
            client.namespaces.create(name)
        assert [one.name for one in client.namespaces.list() if one.name in names] == names
        assert client.namespace(names[0]).count().value == 0
        with pytest.raises(Conflict) as caught:
            client.namespaces.create(names[0], store_text=False)
        assert caught.value.code == "namespace_exists"
        assert [client.namespaces.delete(names[0]) for _ in range(2)] == [True, False]
        with pytest.raises(NotFound):
            client.namespace(names[0]).count()
        assert [one.name for one in client.namespaces.list() if one.name in names] == names[1:]

    def test_the_asynchronous_client_does_the_same_with_namespaces(self, place: Place) -> None:
        async def run() -> None:
            name = f"made-{uuid4().hex[:12]}"
            async with place.async_client() as client:
                await client.namespaces.create(name)
                assert name in [one.name for one in await client.namespaces.list()]
                assert await client.namespaces.delete(name)

        asyncio.run(run())


class ClientContract(Contract):
    @pytest.fixture
    def empty(self, client: Client) -> Iterator[Namespace]:
        space = client.namespace(f"client-{uuid4().hex[:12]}")
        yield space
        with suppress(NotFound):
            space.clear()

    @pytest.fixture
    def animals(self, empty: Namespace) -> Namespace:
        empty.upsert(ANIMALS, wait="searchable")
        empty.wait(timeout=60)
        return empty

    def test_a_document_is_found_by_its_text(self, animals: Namespace) -> None:
        hits = animals.search("Foxes live in dens.", include=["metadata", "text"])
        assert (hits[0].id, hits[0].text) == ("fox", "Foxes live in dens.")
        assert hits[0].score == pytest.approx(1.0, abs=1e-3)
        assert hits[0].metadata == ANIMALS[0].metadata
        assert (len(hits), hits.partial, hits.model_version) == (4, False, 1)
        assert animals.search("Foxes live in dens.", top_k=1, include=[])[0].metadata is None

    def test_a_document_is_found_by_its_vector(self, client: Client, animals: Namespace) -> None:
        assert animals.search(vector=client.embed("Owls hunt at night."), top_k=1)[0].id == "owl"

    def test_documents_are_found_that_are_like_others(self, client: Client, animals: Namespace) -> None:
        animals.upsert(Document("vixen", "Foxes live in deep dens."), wait="searchable")
        near = animals.search(like="fox", include=["vector"])
        assert near[0].id == "vixen"
        assert near[0].vector is not None
        assert "fox" not in [hit.id for hit in near]
        away = animals.search(like=["fox", {"id": "owl", "weight": 0.1}], unlike=["ant"], top_k=2, offset=1)
        assert not {"fox", "owl", "ant"}.intersection(hit.id for hit in away)
        assert [hit.id for hit in animals.search("Foxes live in dens.", min_score=0.99)] == ["fox"]
        assert len(animals.search("Foxes live in dens.", mmr=0.5)) == 5
        with pytest.raises(NotFound):
            animals.search(like="none")

    @pytest.mark.parametrize(
        ("chosen", "expected"),
        [
            (F.lang == "en", {"fox", "owl", "ant"}),
            (F.lang != "en", {"wal"}),
            ((F.lang == "en") & (F.legs >= 4) & ~F.draft.exists(), {"fox"}),
            ((F.lang == "de") | (F.legs > 4), {"wal", "ant"}),
            (F.tags.contains("red"), {"fox"}),
            (F.legs.in_([0, 2]), {"owl", "wal"}),
            (F.legs.not_in([0, 2]), {"fox", "ant"}),
            (F["author.name"] == "Ann", {"fox"}),
            (F.legs == "4", set()),
            (~((F.lang == "en") & (F.legs < 6)), {"wal", "ant"}),
        ],
        # A set is written in another order by each process of a parallel run.
        ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else str(value),
    )
    def test_a_filter_means_the_same_everywhere(self, animals: Namespace, chosen: Filter, expected: set[str]) -> None:
        assert {hit.id for hit in animals.search("an animal", filter=chosen)} == expected
        assert {document.id for document in animals.scan(chosen)} == expected
        assert animals.count(chosen).value == len(expected)

    def test_documents_are_read_by_ids(self, animals: Namespace) -> None:
        fox = animals.get("fox", include=["metadata", "text", "vector"])
        assert fox is not None
        assert (fox.text, fox.metadata, fox.revision, fox.stale) == (ANIMALS[0].text, ANIMALS[0].metadata, 1, False)
        assert fox.vector is not None
        assert math.hypot(*fox.vector) == pytest.approx(1.0, abs=1e-3)
        assert animals.get("none") is None
        assert [one.id for one in animals.get(["owl", "none", "fox"])] == ["owl", "fox"]
        assert animals.get(["owl"], include=["metadata"])[0].text is None

    def test_a_scan_goes_through_all_pages(self, animals: Namespace) -> None:
        assert [one.id for one in animals.scan(page_size=2)] == ["ant", "fox", "owl", "wal"]
        assert [one.id for one in animals.scan(page_size=3, order="-id")] == ["wal", "owl", "fox", "ant"]

    def test_values_are_counted(self, animals: Namespace) -> None:
        facet = animals.facet("lang")
        assert [(one.value, one.count) for one in facet.values] == [("en", 3), ("de", 1)]
        assert facet.is_exact
        assert [one.value for one in animals.facet("tags", F.legs == 4).values] == ["red"]
        assert int(animals.count()) == 4
        assert {"lang", "legs", "author.name"} <= set(animals.fields())

    def test_metadata_is_changed_without_the_text(self, animals: Namespace) -> None:
        one = animals.update("fox", {"legs": 3}, unset=["tags"])
        assert (one.matched, one.updated, one.refused) == (1, 1, ())
        assert animals.update(F.lang == "en", {"reviewed": True}).updated == 3
        fox = animals.get("fox")
        assert fox is not None
        assert fox.metadata == {"lang": "en", "legs": 3, "author": {"name": "Ann"}, "reviewed": True}
        assert {hit.id for hit in animals.search("x", filter=F.reviewed == True)} == {"fox", "owl", "ant"}  # noqa: E712

    def test_documents_are_deleted(self, animals: Namespace) -> None:
        assert animals.delete(F.lang == "de", dry_run=True) == 1
        assert animals.delete({"lang": "de"}, dry_run=True) == 1
        assert animals.delete(F.lang == "de") == 1
        assert animals.delete(["fox", "none"]) == 1
        assert animals.delete("fox") == 0
        assert animals.delete([]) == 0
        assert {hit.id for hit in animals.search("an animal")} == {"owl", "ant"}
        assert animals.clear() == 2
        assert animals.count().value == 0

    def test_a_search_sees_what_was_written_before(self, empty: Namespace) -> None:
        for number in range(4):
            written = empty.upsert(Document(f"note/{number}", f"the note {number}"), wait="indexed")
            assert written.error is None
        assert {hit.id for hit in empty.search("note")} == {f"note/{number}" for number in range(4)}

    def test_what_is_written_again_is_unchanged(self, empty: Namespace) -> None:
        first, other = empty.upsert([Document("1", "a note", {"n": 1}), Document("2", "another")], wait="searchable")
        assert (first.unchanged, other.unchanged) == (False, False)
        again, changed = empty.upsert([Document("1", "a note", {"n": 1.0}), Document("2", "another", {"n": 2})])
        assert (again.unchanged, changed.unchanged) == (True, False)
        report = empty.upload([Document("1", "a note", {"n": 1}), Document("3", "a third"), Document("2", " ")])
        assert (report.written, report.unchanged, report.failed_count) == (2, 1, 1)

    def test_the_nearest_of_each_group_are_found(self, animals: Namespace) -> None:
        hits = animals.search("an animal", group_by="lang", group_size=2, include=[])
        assert hits.groups is not None
        assert (hits.groups.count, hits.groups.complete) == (2, True)
        languages = [str(hit.group) for hit in hits]
        assert sorted(languages) == ["de", "en", "en"]
        assert languages in (["en", "en", "de"], ["de", "en", "en"])
        assert all(hit.metadata is None for hit in hits)
        plain = [hit.id for hit in animals.search("an animal", filter=F.lang == "en")]
        assert [hit.id for hit in hits if hit.group == "en"] == plain[:2]
        assert [hit.group for hit in animals.search("an animal", group_by="lang", top_k=1, offset=1)] == languages[-1:]
        assert list(animals.search("an animal", group_by="no_such")) == []

    def test_hits_are_a_frame(self, animals: Namespace) -> None:
        frame = animals.search("an animal", top_k=3, include=["metadata", "text"]).to_pandas()
        assert list(frame.columns[:3]) == ["id", "score", "text"]
        assert set(frame["lang"]) <= {"en", "de"}
        assert len(frame) == 3
        assert list(animals.search("x", filter=F.lang == "no").to_pandas().columns) == ["id", "score"]

    def test_many_searches_go_in_one_request(self, animals: Namespace) -> None:
        texts = [str(one.text) for one in ANIMALS]
        found = animals.search_many(texts * 20, top_k=1, filter=F.legs >= 0)
        assert [hits[0].id for hits in found] == [one.id for one in ANIMALS] * 20
        assert animals.search_many([]) == []
        with pytest.raises(InvalidRequest) as caught:
            animals.search_many(["x", " "])
        assert caught.value.code == "empty_input"

    def test_a_write_can_name_the_revision_that_it_replaces(self, empty: Namespace) -> None:
        assert empty.upsert(Document("1", "first", if_revision=0)).revision == 1
        assert empty.upsert(Document("1", "second", if_revision=1)).revision == 2
        with pytest.raises(Conflict) as caught:
            empty.upsert(Document("1", "third", if_revision=0))
        assert (caught.value.code, caught.value.field) == ("revision_conflict", "documents[0].if_revision")
        refused, good = empty.upsert([Document("1", "third", if_revision=1), Document("2", "new", if_revision=0)])
        assert isinstance(refused.error, Conflict)
        assert good.revision == 1
        report = empty.upload([Document("1", "third", if_revision=7), Document("1", "third", if_revision=8)])
        assert [failed.code for failed in report.failed] == ["revision_conflict"] * 2

    def test_a_document_can_expire(self, empty: Namespace) -> None:
        later, before = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
        empty.upsert([Document("stays", "a"), Document("later", "b", expires_at=later)])
        empty.upsert(Document("gone", "c", expires_at=before))
        found = {one.id: one.expires_at for one in empty.scan()}
        assert found.keys() == {"stays", "later"}
        assert found["stays"] is None
        assert datetime.fromisoformat(found["later"] or "") == later
        with pytest.raises(ValueError, match="offset"):
            empty.upsert(Document("x", "x", expires_at=datetime(2026, 1, 1)))  # noqa: DTZ001

    def test_a_bad_document_is_refused_alone(self, empty: Namespace) -> None:
        good, bad = empty.upsert([Document("a", "good"), Document("b", " ")])
        assert (good.id, good.revision, good.error) == ("a", 1, None)
        assert bad.error is not None
        assert (bad.id, bad.error.code, bad.error.field) == ("b", "empty_input", "documents[1].text")
        with pytest.raises(InvalidRequest) as caught:
            empty.upsert(Document("b", " "))
        assert caught.value.code == "empty_input"

    def test_many_documents_are_loaded(self, empty: Namespace) -> None:
        rows = [{"id": f"n/{number:03}", "text": f"note {number % 40}", "part": number % 3} for number in range(300)]
        bad = [{"id": "blank", "text": " "}, {"id": "a/../b", "text": "x"}]
        report = empty.upload([*rows, *bad], batch=64)
        assert (report.written, report.failed_count) == (300, 2)
        assert {failed.id: failed.code for failed in report.failed} == {
            "blank": "empty_input",
            "a/../b": "invalid_value",
        }
        status = empty.wait(timeout=120)
        assert (status.count, status.pending) == (300, 0)
        assert empty.search("note 7", filter=F.part == 1, top_k=1)[0].score == pytest.approx(1.0, abs=1e-3)
        assert [document.id for document in empty.scan()] == [row["id"] for row in rows]

    def test_an_identical_write_changes_nothing(self, animals: Namespace) -> None:
        assert animals.upsert(ANIMALS[0]).revision == 1
        assert animals.upsert(Document("fox", "Foxes are red.")).revision == 2

    @pytest.mark.parametrize(
        ("asked", "code", "field"),
        [
            ({"top_k": 0}, "invalid_value", "top_k"),
            ({"filter": {"lang": {"like": "x"}}}, "invalid_filter", "filters.lang.like"),
            ({"filter": {"must": [{"lang": "x"}]}}, "invalid_filter", "filters.must"),
            ({"include": ["score"]}, "invalid_value", "include[0]"),
            ({"min_token": "forged"}, "invalid_token", "min_token"),
            ({"min_token": ["forged"]}, "invalid_token", "min_token[0]"),
            ({"group_by": "lang", "mmr": 0.5}, "invalid_value", "mmr"),
            ({"group_size": 2}, "missing_field", "group_by"),
        ],
    )
    def test_a_mistake_is_named(self, animals: Namespace, asked: dict[str, Any], code: str, field: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            animals.search("x", **asked)
        assert (caught.value.code, caught.value.field, caught.value.status) == (code, field, 400)
        assert caught.value.request_id

    def test_what_is_not_there_is_not_found(self, client: Client) -> None:
        nothing = client.namespace("never-written")
        for ask in (lambda: nothing.search("x"), nothing.count, nothing.status, lambda: nothing.get("1")):
            with pytest.raises(NotFound) as caught:
                ask()
            assert caught.value.code == "unknown_namespace"
        with pytest.raises(NotFound):
            client.embed("x", model_id="no-such-model")

    def test_any_number_of_texts_is_embedded_in_order(self, client: Client) -> None:
        texts = [f"text {number % 5}" for number in range(600)]
        rows = client.embed(texts)
        assert rows.shape == (600, len(client.embed("text 0")))
        assert rows[599].tolist() == pytest.approx(client.embed("text 4").tolist(), abs=1e-5)
        assert client.embed([]).shape[0] == 0

    def test_a_text_that_cannot_be_embedded_fails_alone(self, client: Client) -> None:
        result = client.embed_many(["a fox", " ", "an owl"], on_error="skip")
        assert [item.error.code if item.error else None for item in result.items] == [None, "empty_input", None]
        assert [math.isnan(row[0]) for row in result.vectors] == [False, True, False]
        assert result.usage.tokens == sum(item.tokens for item in result.items) > 0
        all_bad = client.embed_many([" ", ""], on_error="skip")
        assert [item.error.code for item in all_bad.items if item.error] == ["empty_input"] * 2
        for ask in (client.embed, client.embed_many):
            with pytest.raises(InvalidRequest) as caught:
                ask(["a fox", " "])
            assert (caught.value.code, caught.value.field) == ("empty_input", "inputs[1]")

    def test_the_tokens_of_a_text_are_shown(self, client: Client) -> None:
        (shown,) = client.tokenize("a red fox")
        assert len(shown.ids) == len(shown.offsets) == shown.tokens > 0
        assert not shown.truncated

    def test_models_and_health_are_told(self, client: Client) -> None:
        assert "active" in {model.status for model in client.models.list()}
        health = client.health()
        assert health.ready, health
        assert all(check.ok for check in health.checks.values())

    def test_the_asynchronous_client_does_the_same(self, place: Place) -> None:
        async def story(client: AsyncClient, space: AsyncNamespace) -> None:
            await space.upsert(ANIMALS, wait="searchable")
            await space.wait(timeout=60)
            assert (await space.search("Owls hunt at night.", filter=F.lang == "en"))[0].id == "owl"
            assert [one.id async for one in space.scan(page_size=3)] == ["ant", "fox", "owl", "wal"]
            assert [one.id for one in await space.get(["fox"])] == ["fox"]
            assert (await space.count()).value == 4
            assert [hits[0].id for hits in await space.search_many(["Owls hunt at night."] * 2)] == ["owl"] * 2
            assert len((await space.facet("lang")).values) == 2
            assert (await space.update(F.legs > 2, {"many": True})).updated == 2
            assert "lang" in await space.fields()
            assert await space.delete("fox") == 1
            assert (await client.embed([f"text {number}" for number in range(300)])).shape[0] == 300
            assert (await client.embed_many(["a", ""], on_error="skip")).items[1].error is not None
            assert len(await client.tokenize(["a", "b"])) == 2
            assert (await client.health()).ready
            assert await client.models.list()
            with pytest.raises(NotFound):
                await client.namespace("never-written").count()
            assert await space.clear() == 3

        async def run() -> None:
            async with place.async_client() as client:
                await story(client, client.namespace(f"client-{uuid4().hex[:12]}"))

        asyncio.run(run())

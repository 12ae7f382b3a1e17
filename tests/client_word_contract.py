"""What the Python client and a server do together in searches by words: see client_contract.py."""

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest
from embsearch import Client, Conflict, F, Namespace
from embsearch.search_request import TextQuery

from tests.client_contract import ANIMALS, Contract, Place


class TextSearchContract(Contract):
    @pytest.fixture
    def worded(self, client: Client) -> Namespace:
        name = f"words-{uuid4().hex[:12]}"
        client.namespaces.create(name, text_search="simple")
        space = client.namespace(name)
        space.upsert(ANIMALS, wait="searchable")
        return space

    def test_documents_are_found_by_their_words(self, worded: Namespace) -> None:
        hits = worded.search("hunt night", mode="text", include=["text"], highlight=True)
        assert [hit.id for hit in hits] == ["owl"]
        (piece,) = hits[0].highlights
        assert [piece.text[begin:end] for begin, end in piece.marks] == ["hunt", "night"]
        assert hits.text is not None
        assert (hits.text.language, set(hits.text.words), hits.text.incomplete) == ("simple", {"hunt", "night"}, None)

    def test_parts_of_a_text_query_say_what_must_be_there(self, worded: Namespace) -> None:
        def found(**asked: Any) -> set[str]:
            return {hit.id for hit in worded.search(mode="text", text_query=cast(TextQuery, asked))}

        assert found(phrases=["in dens"]) == {"fox"}
        assert found(phrases=["dens in"]) == set()
        assert found(prefixes=["le"]) == {"ant"}
        assert found(exact=["MEER"]) == {"wal"}
        assert found(words="in live", match="all") == {"fox"}
        assert found(words="in", without="dens") == set()
        assert found(words="hunt carry", without="ants") == {"owl"}

    def test_words_and_meaning_together_say_where_each_found_a_hit(self, worded: Namespace) -> None:
        hits = worded.search("Foxes live in dens.", mode="hybrid", filter=F.lang == "en")
        assert (hits[0].id, hits[0].ranks, hits[0].score) == ("fox", {"vector": 1, "text": 1}, 1.0)
        assert {hit.id for hit in hits} == {"fox", "owl", "ant"}
        by_words = worded.search("carry", mode="hybrid", weights={"vector": 0})
        assert (by_words[0].id, (by_words[0].ranks or {})["text"]) == ("ant", 1)

    def test_many_searches_by_words_come_in_one_request(self, worded: Namespace) -> None:
        found = worded.search_many(["hunt", "meer"], mode="text")
        assert [[hit.id for hit in hits] for hits in found] == [["owl"], ["wal"]]

    def test_text_search_is_switched_on_and_off(self, client: Client) -> None:
        name = f"words-{uuid4().hex[:12]}"
        space = client.namespace(name)
        space.upsert(ANIMALS)
        with pytest.raises(Conflict) as caught:
            space.search("hunt", mode="text")
        assert caught.value.code == "text_search_off"
        client.namespaces.set_text_search(name, "english")
        status = space.status().text_search
        assert status is not None
        assert status.language == "english"
        client.namespaces.set_text_search(name, "off")
        assert next(one.text_search for one in client.namespaces.list() if one.name == name) == "off"

    def test_the_asynchronous_client_searches_by_words_too(self, place: Place) -> None:
        async def run() -> None:
            name = f"words-{uuid4().hex[:12]}"
            async with place.async_client() as client:
                await client.namespaces.create(name)
                await client.namespaces.set_text_search(name, "simple")
                space = client.namespace(name)
                await space.upsert(ANIMALS)
                assert [hit.id for hit in await space.search("meer", mode="text")] == ["wal"]

        asyncio.run(run())

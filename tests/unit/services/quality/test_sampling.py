"""Which searches become samples, and that a request never waits for one."""

import threading
from functools import partial

import pytest
from django.db import OperationalError

from embeddings_app.records.search_samples import LiveSearch
from embeddings_app.services.quality.sampling import MAX_TEXT_BYTES, SearchSampler


def search(text: str) -> LiveSearch:
    return LiveSearch(
        model_id="m", namespace_key=1, text=text, vector=None, version_key=None, top_k=10, filter="", ef_search=100
    )


class Book:
    """What was kept, and a way to wait for it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._more = threading.Condition()

    def keep(self, sample: LiveSearch) -> None:
        with self._more:
            self.texts.append(sample.text)
            self._more.notify_all()

    def wait_for(self, count: int) -> list[str]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.texts) >= count, timeout=5)
            return self.texts


@pytest.fixture
def book() -> Book:
    return Book()


def test_at_most_one_search_a_second_is_kept(book: Book) -> None:
    now = [100.0]
    sampler = SearchSampler(1.0, book.keep, clock=lambda: now[0], chance=lambda: 0.0)
    for text in ("first", "same second"):
        sampler.offer(partial(search, text))
    now[0] += 0.99
    sampler.offer(lambda: search("still too early"))
    now[0] += 0.01
    sampler.offer(lambda: search("second"))
    assert book.wait_for(2) == ["first", "second"]


def test_only_the_share_of_searches_is_kept(book: Book) -> None:
    chances = iter([0.3, 0.29, 0.31])
    now = [0.0]
    sampler = SearchSampler(0.3, book.keep, clock=lambda: now[0], chance=lambda: next(chances))
    for text in ("unlucky", "lucky", "unlucky again"):
        sampler.offer(partial(search, text))
        now[0] += 10
    assert book.wait_for(1) == ["lucky"]


def test_without_a_share_nothing_is_made_or_kept(book: Book) -> None:
    before = threading.active_count()
    sampler = SearchSampler(0.0, book.keep, chance=lambda: 0.0)
    sampler.offer(lambda: pytest.fail("a sample was made"))
    assert threading.active_count() == before


def test_a_very_long_query_is_not_kept(book: Book) -> None:
    now = [0.0]
    sampler = SearchSampler(1.0, book.keep, clock=lambda: now[0], chance=lambda: 0.0)
    for text in ("é" * MAX_TEXT_BYTES, "short"):
        sampler.offer(partial(search, text))
        now[0] += 1
    assert book.wait_for(1) == ["short"]


def test_an_offer_does_not_wait_for_a_store_that_hangs() -> None:
    hang = threading.Event()
    now = [0.0]

    def keep(_: LiveSearch) -> None:
        hang.wait(5)

    sampler = SearchSampler(1.0, keep, clock=lambda: now[0], chance=lambda: 0.0)
    for number in range(100):
        sampler.offer(partial(search, str(number)))
        now[0] += 1
    hang.set()


def test_a_store_that_fails_costs_the_sample_alone(book: Book) -> None:
    now = [0.0]

    def keep(sample: LiveSearch) -> None:
        if sample.text == "lost":
            raise OperationalError("postgres is away")
        book.keep(sample)

    sampler = SearchSampler(1.0, keep, clock=lambda: now[0], chance=lambda: 0.0)
    for text in ("lost", "kept"):
        sampler.offer(partial(search, text))
        now[0] += 1
    assert book.wait_for(1) == ["kept"]

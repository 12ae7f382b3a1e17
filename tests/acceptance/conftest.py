"""A client of the running service, a second, smaller instance, and small helpers for what every test here does."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from supervisor.launch import running_instance
from tests.acceptance.collector import Collector, collector
from tests.conftest import PATIENT, Service, free_port, outside_environment, scratch_directory
from tests.tiny_model import repository_files
from tests.unit.model_sources.fake_hub import FakeHub, fake_hub
from tests.unit.workers.fake_endpoint import FakeEndpoint, fake_endpoint

ENDPOINT_KEY = "sk-never-to-be-seen"
ENDPOINT_DIMENSION = 8


@pytest.fixture(scope="session")
def api(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30.0) as client:
        yield client


def ok(response: httpx.Response) -> dict[str, Any]:
    """The body of a good answer; shows the error of a bad one."""
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def until_cached(client: httpx.Client, texts: Sequence[str], **options: object) -> list[list[float]]:
    """The vectors of texts once they are in the cache, so that whoever asks then gets the same numbers.

    A write that takes longer than a quarter of a second is given up; the text is then computed again, perhaps beside
    others. And a text of a document that any test deletes stays out of the cache for a minute.
    """
    deadline = time.monotonic() + 180
    while True:
        answer = ok(client.post("/v1/embed", json={"inputs": list(texts), **options}))
        if all(item["cached"] for item in answer["items"]):
            vectors: list[list[float]] = answer["embeddings"]
            return vectors
        assert time.monotonic() < deadline, "the texts do not get into the cache"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[FakeEndpoint]:
    with fake_endpoint(ENDPOINT_DIMENSION) as running:
        yield running


@pytest.fixture(scope="session")
def hub() -> Iterator[FakeHub]:
    with fake_hub(repository_files()) as running:
        yield running


@pytest.fixture(scope="session")
def spans() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture(scope="session")
def small(endpoint: FakeEndpoint, hub: FakeHub, spans: Collector) -> Iterator[Service]:
    """One shard, one replica. It logs all it does as JSON, sends its spans to `spans`, knows endpoint and hub, and
    compresses large answers."""
    var = scratch_directory()
    secrets, models = var / "keys", var / "models"
    secrets.mkdir()
    models.mkdir()
    (secrets / "acme").write_text(ENDPOINT_KEY)
    settings = {
        "SHARDS": "1",
        "REPLICAS": "1",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "TRACES_URL": spans.url,
        "ENDPOINT_HOSTS": endpoint.host,
        "EMBED_SECRETS_DIR": str(secrets),
        "MODEL_ROOT": str(models),
        "HUB_DOWNLOADS": "1",
        "HUB_URL": hub.url,
        "COMPRESS_FROM_BYTES": "20000",
    }
    with running_instance(var=var, port=free_port(), environ=outside_environment(var) | PATIENT | settings) as url:
        yield Service(url, var)

"""Models from elsewhere in a whole service: behind an endpoint and from a hub, registered by the command."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.acceptance.conftest import ENDPOINT_DIMENSION, ENDPOINT_KEY, ok
from tests.conftest import Service, outside_environment
from tests.loaded_commands import Done, Run, loaded_commands
from tests.unit.model_sources.fake_hub import COMMIT, REPOSITORY
from tests.unit.workers.fake_endpoint import FakeEndpoint, json_answer, vector_of


@pytest.fixture
def service(small: Service) -> Service:
    return small


@pytest.fixture(scope="module")
def register(small: Service) -> Iterator[Run]:
    """The command `register_model`, with the options given."""
    with loaded_commands({**os.environ, **outside_environment(small.var)}, knows_instance=True) as run:

        def register(*options: str) -> Done:
            done = run("register_model", "--model-id", *options)
            assert done.returncode == 0, done.stderr
            return done

        yield register


def embed(service: Service, model_id: str, *texts: str) -> httpx.Response:
    body = {"model_id": model_id, "inputs": list(texts), "normalize": False}
    return httpx.post(f"{service.url}/v1/embed", json=body, timeout=60.0)


def said_anywhere(var: Path, words: str) -> bool:
    return any(words in path.read_text(errors="replace") for path in (var / "logs").iterdir())


def test_a_model_behind_an_endpoint_is_probed_and_answers(
    service: Service, register: Run, endpoint: FakeEndpoint
) -> None:
    options = (
        "--type", "openai", "--endpoint", endpoint.url, "--dimension", str(ENDPOINT_DIMENSION), "--secret-name", "acme",
    )  # fmt: skip
    assert "active" in register("remote", *options, "--activate").stdout
    found = ok(embed(service, "remote", "a fox"))
    assert np.allclose(found["embeddings"], [vector_of("a fox", ENDPOINT_DIMENSION)])
    assert endpoint.requests[-1].key == f"Bearer {ENDPOINT_KEY}"
    sound = endpoint.behave
    endpoint.behave = lambda request: json_answer({}, 401)
    try:
        refused = embed(service, "remote", "another fox")
    finally:
        endpoint.behave = sound
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_unavailable")
    until = time.monotonic() + 60
    while not said_anywhere(service.var, "of no use now: status 401"):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert not said_anywhere(service.var, ENDPOINT_KEY)
    assert not said_anywhere(service.var, "another fox")


def test_a_model_of_the_hub_is_downloaded_and_answers(service: Service, register: Run) -> None:
    options = ("--type", "transformers", "--artifact", f"hub:{REPOSITORY}")
    assert "active" in register("tiny", *options, "--activate").stdout
    assert ok(embed(service, "tiny", "a fox"))["dimension"] == 32
    assert (service.var / "models" / "hub" / REPOSITORY / COMMIT / "model.safetensors").is_file()


def test_a_model_without_an_active_version_is_told_from_an_unknown_one(service: Service, register: Run) -> None:
    register("sketch", "--type", "external", "--dimension", "4")
    for model_id, status, code in (("sketch", 409, "model_not_active"), ("nobody", 404, "unknown_model")):
        answer = embed(service, model_id, "x")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_retired_version_is_told_from_the_one_that_answers_now(service: Service, register: Run) -> None:
    options = ("--type", "transformers", "--artifact", "hashing:", "--dimension", "8", "--max-tokens", "64")
    for _ in range(2):
        register("changing", *options, "--pooling", "mean", "--activate")

    def ask(version: int) -> httpx.Response:
        body = {"model": f"changing@{version}", "input": "a fox"}
        return httpx.post(f"{service.url}/v1/embeddings", json=body, timeout=60.0)

    until = time.monotonic() + 60
    while ask(2).status_code != 200:
        assert time.monotonic() < until, "version 2 does not answer"
        time.sleep(0.1)
    retired = ask(1)
    assert (retired.status_code, retired.json()["error"]["code"]) == (409, "model_not_active")
    assert "version 1" in retired.json()["error"]["message"]

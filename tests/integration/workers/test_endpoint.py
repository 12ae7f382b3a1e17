"""A model behind an endpoint, over real HTTP: what it is asked, what its faults cost, and who is blamed for them."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from redis import Redis

from embedding_project.config import Config, load_config
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from tests.unit.workers.builders import DIMENSION, HASHING, Setup, batch, embedded
from tests.unit.workers.fake_endpoint import (
    Answer,
    Behaviour,
    FakeEndpoint,
    Request,
    embeddings,
    fake_endpoint,
    json_answer,
    vector_of,
)
from workers.encoders.base import ModelAway, ModelError
from workers.encoders.endpoint import EndpointEncoder, load_endpoint

KEY = "sk-very-secret-indeed"
TEXTS = ["a fox", "a longer text about foxes", "ein Würfel"]


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with fake_endpoint(DIMENSION) as running:
        yield running


@pytest.fixture
def config(endpoint: FakeEndpoint, tmp_path: Path, valkey_url: str) -> Config:
    (tmp_path / "acme").write_text(f"{KEY}\n")
    hosts = (endpoint.host,)
    return replace(load_config(), endpoint_hosts=hosts, embed_secrets_dir=str(tmp_path), cache_url=valkey_url)


@pytest.fixture
def spec(endpoint: FakeEndpoint) -> ModelSpec:
    return replace(
        HASHING,
        type=ModelType.OPENAI,
        artifact="",
        endpoint=endpoint.url,
        endpoint_model="acme/embed-1",
        secret_name="acme",
    )


@pytest.fixture
def encoder(spec: ModelSpec, config: Config) -> EndpointEncoder:
    return load_endpoint(spec, config)


def status(code: int, **headers: str) -> Behaviour:
    return lambda request: json_answer({"error": {"message": str(request.body["input"])}}, code, **headers)


def refuses(fails: Callable[[str], bool]) -> Behaviour:
    """Refuse a request with a text that `fails`."""
    return lambda request: Answer(400) if any(map(fails, request.body["input"])) else embeddings(request, DIMENSION)


def answers(value: object) -> Behaviour:
    return lambda request: json_answer(value)


def rows(*vectors: object) -> Behaviour:
    return answers({"data": [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]})


def outcomes_of(setup: Setup, *texts: str) -> tuple[bytes | str, ...]:
    setup.embedder.admit(batch(*texts))
    (reply,) = setup.run().values()
    return reply.outcomes


def test_texts_come_back_in_their_order(endpoint: FakeEndpoint, encoder: EndpointEncoder) -> None:
    vectors = encoder.encode(encoder.tokenize(TEXTS))
    assert np.array_equal(vectors, [vector_of(text, DIMENSION) for text in TEXTS])
    (request,) = endpoint.requests
    assert (request.path, request.key) == ("/v1/embeddings", f"Bearer {KEY}")
    assert request.body == {"model": "acme/embed-1", "input": TEXTS, "encoding_format": "base64"}


def test_a_model_without_a_secret_sends_no_key(endpoint: FakeEndpoint, spec: ModelSpec, config: Config) -> None:
    open_model = load_endpoint(replace(spec, secret_name="", endpoint_model=""), config)
    open_model.encode(open_model.tokenize(["x"]))
    assert endpoint.requests[0].key is None
    assert endpoint.requests[0].body["model"] == spec.model_id


def test_an_endpoint_without_base64_is_asked_for_numbers(endpoint: FakeEndpoint, encoder: EndpointEncoder) -> None:
    sound = endpoint.behave
    endpoint.behave = lambda request: Answer(400) if request.body["encoding_format"] == "base64" else sound(request)
    vectors = encoder.encode(encoder.tokenize(TEXTS))
    assert np.array_equal(vectors, [vector_of(text, DIMENSION) for text in TEXTS])
    asked = len(endpoint.requests)
    encoder.encode(encoder.tokenize(TEXTS))
    assert len(endpoint.requests) == asked + 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_fault_that_passes_is_tried_again(endpoint: FakeEndpoint, encoder: EndpointEncoder, code: int) -> None:
    endpoint.in_turn(status(code), status(code))
    assert encoder.encode(encoder.tokenize(TEXTS)).shape == (3, DIMENSION)
    assert len(endpoint.requests) == 3


def test_the_wait_that_the_endpoint_asks_for_is_kept(endpoint: FakeEndpoint, encoder: EndpointEncoder) -> None:
    endpoint.in_turn(status(429, Retry_After="1"))
    began = time.monotonic()
    encoder.encode(encoder.tokenize(["x"]))
    assert time.monotonic() - began >= 1


def test_a_wait_beyond_the_bound_is_not_waited_for(endpoint: FakeEndpoint, encoder: EndpointEncoder) -> None:
    endpoint.in_turn(status(429, Retry_After="3600"))
    for _ in range(2):
        with pytest.raises(ModelAway, match="429"):
            encoder.encode(encoder.tokenize(["x"]))
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_fault_that_does_not_pass_is_not_tried_again(
    endpoint: FakeEndpoint, encoder: EndpointEncoder, code: int
) -> None:
    endpoint.in_turn(status(code))
    with pytest.raises(ModelAway, match=str(code)):
        encoder.encode(encoder.tokenize(["x"]))
    assert len(endpoint.requests) == 1


def test_redirects_are_not_followed(endpoint: FakeEndpoint, encoder: EndpointEncoder) -> None:
    endpoint.in_turn(status(307, Location=f"{endpoint.url}/elsewhere"))
    with pytest.raises(ModelAway, match="redirects"):
        encoder.encode(encoder.tokenize(["x"]))
    assert [request.path for request in endpoint.requests] == ["/v1/embeddings"]


def test_an_endpoint_that_never_stops_failing_is_left_alone_for_a_while(
    endpoint: FakeEndpoint, encoder: EndpointEncoder
) -> None:
    endpoint.behave = status(500)
    with pytest.raises(ModelAway):
        encoder.encode(encoder.tokenize(["x"]))
    asked = len(endpoint.requests)
    with pytest.raises(ModelAway):
        encoder.encode(encoder.tokenize(["x"]))
    assert len(endpoint.requests) == asked


def test_a_slow_endpoint_is_given_up(endpoint: FakeEndpoint, spec: ModelSpec, config: Config) -> None:
    given_up = threading.Event()

    def slow(request: Request) -> Answer:
        given_up.wait(60)
        return embeddings(request, DIMENSION)

    endpoint.behave = slow
    impatient = load_endpoint(spec, config, seconds=2.0)
    with pytest.raises(ModelAway, match="ReadTimeout"):
        impatient.encode(impatient.tokenize(["x"]))
    given_up.set()


def test_an_endpoint_that_is_down_is_away(endpoint: FakeEndpoint, encoder: EndpointEncoder) -> None:
    endpoint.close()
    with pytest.raises(ModelAway, match="ConnectError"):
        encoder.encode(encoder.tokenize(["x"]))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (rows([1.0] * DIMENSION, [1.0] * DIMENSION), "2 vectors came for 1"),
        (rows(), "0 vectors came for 1"),
        (rows([1.0] * (DIMENSION + 1)), "dimensions"),
        (rows("!!!"), "no list of embeddings"),
        (rows([["deep"]]), "no list of embeddings"),
        (answers({"data": [{"embedding": [1.0] * DIMENSION}]}), "no list of embeddings"),
        (answers([]), "no list of embeddings"),
        (lambda request: Answer(200, b"<html>"), "not JSON"),
        (lambda request: Answer(200, b"[" * 10**5), "not JSON"),
        (lambda request: Answer(200, b" " * 10**7), "too large"),
        (lambda request: Answer(200, b"x", {"Content-Encoding": "gzip"}), "compressed"),
    ],
)
def test_an_endpoint_that_answers_nonsense_is_to_blame_and_no_text(
    endpoint: FakeEndpoint, encoder: EndpointEncoder, broken: Behaviour, reason: str
) -> None:
    endpoint.behave = broken
    with pytest.raises(ModelAway, match=reason):
        encoder.encode(encoder.tokenize(["x"]))


def test_a_text_that_the_endpoint_refuses_fails_alone(
    endpoint: FakeEndpoint, encoder: EndpointEncoder, valkey_url: str, redis: Redis
) -> None:
    endpoint.behave = refuses(lambda text: len(text) > 20)
    first, second, third = outcomes_of(Setup(valkey_url, encoder), *TEXTS)
    assert second == "model_error"
    assert np.array_equal(embedded(first).vector, vector_of(TEXTS[0], DIMENSION))
    assert np.array_equal(embedded(third).vector, vector_of(TEXTS[2], DIMENSION))


@pytest.mark.parametrize("bad", [float("nan"), None, 1e300])
def test_a_vector_that_is_no_vector_fails_alone(
    endpoint: FakeEndpoint, encoder: EndpointEncoder, valkey_url: str, redis: Redis, bad: object
) -> None:
    endpoint.in_turn(rows([bad] * DIMENSION, [1.0] * DIMENSION))
    first, second = outcomes_of(Setup(valkey_url, encoder), "a", "b")
    assert first == "model_error"
    assert embedded(second).vector.tolist() == [1.0] * DIMENSION


@pytest.mark.parametrize("code", [400, 401, 422, 500])
def test_an_endpoint_that_takes_nothing_makes_the_model_unavailable(
    endpoint: FakeEndpoint, encoder: EndpointEncoder, valkey_url: str, redis: Redis, code: int
) -> None:
    endpoint.behave = status(code)
    assert outcomes_of(Setup(valkey_url, encoder), "a", "b") == ("model_unavailable",) * 2
    assert len(endpoint.requests) <= 4


def test_the_rate_holds_for_all_embedders_together(
    endpoint: FakeEndpoint, spec: ModelSpec, config: Config, redis: Redis
) -> None:
    limited = replace(spec, requests_per_minute=2)
    encoders = [load_endpoint(limited, config, seconds=8.0) for _ in range(2)]
    encoders[0].encode(encoders[0].tokenize(["x"]))
    with pytest.raises(ModelAway, match="per minute"):
        encoders[1].encode(encoders[1].tokenize(["x"]))
    assert len(endpoint.requests) == 1


def test_a_host_that_is_not_listed_is_never_called(endpoint: FakeEndpoint, spec: ModelSpec, config: Config) -> None:
    with pytest.raises(ModelError, match="ENDPOINT_HOSTS"):
        load_endpoint(spec, replace(config, endpoint_hosts=("api.example.org",)))
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), ("", "empty"), ("two words", "spaces"), ("one\nInjected: header", "spaces")],
)
def test_a_secret_that_cannot_be_used_is_named_and_not_shown(
    spec: ModelSpec, config: Config, tmp_path: Path, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "other").write_text(content)
    with pytest.raises(ModelError, match=reason) as caught:
        load_endpoint(replace(spec, secret_name="other"), config)
    assert "other" in str(caught.value)
    assert not content or content not in str(caught.value)


@pytest.mark.parametrize("name", ["../acme", "/etc/passwd", "a/b", "."])
def test_the_name_of_a_secret_leads_nowhere_else(spec: ModelSpec, config: Config, name: str) -> None:
    with pytest.raises(ModelError, match="plain file name"):
        load_endpoint(replace(spec, secret_name=name), config)


def test_a_changed_secret_is_used_from_the_next_request(
    endpoint: FakeEndpoint, encoder: EndpointEncoder, tmp_path: Path
) -> None:
    encoder.encode(encoder.tokenize(["x"]))
    (tmp_path / "acme").write_text("another-key")
    encoder.encode(encoder.tokenize(["x"]))
    assert endpoint.requests[-1].key == "Bearer another-key"


def test_no_log_and_no_error_holds_the_key_or_a_text(
    endpoint: FakeEndpoint, spec: ModelSpec, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    behaviours = [status(401), status(500), status(302, Location="/x"), answers({}), refuses(lambda text: True)]
    with caplog.at_level(logging.DEBUG):
        for behave in behaviours:
            endpoint.behave = behave
            encoder = load_endpoint(spec, config, seconds=0.4)
            with pytest.raises(ModelAway) as caught:
                encoder.encode(encoder.tokenize(["private words"]))
            said = f"{caught.value} {caught.value!r} {encoder!r} {vars(encoder)} {config!r}"
            assert KEY not in said
            assert "private" not in said
    own = [record.getMessage() for record in caplog.records if record.name.startswith("workers")]
    assert own
    # The library's own debug lines list headers; it hides this one.
    assert KEY not in caplog.text
    assert "private" not in json.dumps(own)

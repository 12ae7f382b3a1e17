"""Clients of text-embeddings-inference, unmodified."""

import httpx
import numpy as np
from huggingface_hub import InferenceClient, close_session

from tests.acceptance.conftest import ok, until_cached
from tests.conftest import Service

TEXTS = ["a red fox", "ein roter Fuchs"]


def own(api: httpx.Client, texts: list[str], **options: object) -> np.ndarray:
    return np.array(until_cached(api, texts, **options), dtype=np.float32)


def test_many_texts_come_back_as_a_bare_list_of_vectors(api: httpx.Client) -> None:
    expected = own(api, TEXTS)
    answer = api.post("/embed", json={"inputs": TEXTS})
    assert (np.array(answer.json(), dtype=np.float32) == expected).all()
    expected = own(api, TEXTS[:1], normalize=False, input_type="query")
    raw = api.post("/embed", json={"inputs": TEXTS[0], "normalize": False, "truncate": None, "prompt_name": "query"})
    assert (np.array(raw.json(), dtype=np.float32) == expected).all()


def test_the_client_of_the_hub_is_served(service: Service, api: httpx.Client) -> None:
    for address in (service.url, f"{service.url}/embed"):
        found = InferenceClient(base_url=address).feature_extraction(TEXTS[0], normalize=True)
        assert np.allclose(found, own(api, TEXTS[:1]))
    close_session()


def test_an_error_has_the_form_of_the_peer(api: httpx.Client) -> None:
    for path in ("/", "/embed"):
        empty = api.post(path, json={"inputs": ""})
        assert (empty.status_code, empty.json()["error_type"]) == (400, "Empty")
        assert empty.json()["error"].startswith("inputs: ")
        ids = api.post(path, json={"inputs": [[1, 2]]}).json()
        assert (ids["error_type"], ids["error"].partition(":")[0]) == ("Validation", "inputs")


def test_the_service_says_what_it_serves(api: httpx.Client) -> None:
    info = ok(api.get("/info"))
    assert (info["model_id"], info["max_input_length"], info["max_client_batch_size"]) == ("all-MiniLM-L6-v2", 256, 256)
    health = api.get("/health")
    assert (health.status_code, health.content) == (200, b"")

"""A namespace with `store_text = false` holds a text only while a pending record needs it, and forgets all of it."""

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.vectors import EmbeddedText
from embeddings_app import registry
from embeddings_app.models import ModelRegistry
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.upserting import DocumentWrite, upsert
from embeddings_app.services.embedding.cache import cached_vectors
from tests.integration.indexing_steps import (
    NAMESPACE,
    failing,
    index,
    make_due,
    put,
    record,
    request,
    rows,
    until_cached,
)
from tests.integration.reembedding_steps import forget_model

pytestmark = pytest.mark.usefixtures("keeps_no_text")


@pytest.fixture
def keeps_no_text(database: str) -> None:
    put(("first", "makes the namespace"))
    rows("UPDATE namespace SET store_text = false RETURNING id")
    index()


def _texts() -> list[str]:
    return [text for (text,) in rows("SELECT text FROM document ORDER BY doc_id")]


def test_a_text_goes_once_it_is_embedded() -> None:
    put(("second", "secret"))
    assert _texts() == ["", "secret"]
    index()
    assert _texts() == ["", ""]
    assert put(("second", "secret"))[0].revision == 1


def test_a_change_of_metadata_does_not_bring_the_text_back() -> None:
    put(("second", "secret"))
    index()
    assert put(("second", "secret"), metadata={"n": 2})[0].revision == 2
    assert _texts() == ["", ""]


def test_a_change_of_metadata_leaves_a_pending_text_to_be_embedded() -> None:
    put(("second", "secret"))
    put(("second", "secret"), metadata={"n": 2})
    assert _texts() == ["", "secret"]
    index()
    assert (record("second")[0], _texts()) == ("ready", ["", ""])


@pytest.fixture
def external_model() -> Iterator[str]:
    name = "external/kept"
    command = ("register_model", "--model-id", name, "--type", "external", "--dimension", "2", "--activate")
    call_command(*command, stdout=StringIO())
    yield name
    forget_model(ModelRegistry.objects.get(model_id=name))


def test_a_text_beside_a_vector_of_the_client_is_not_stored(external_model: str) -> None:
    write = DocumentWrite(doc_id="v", text="secret", vector=[1.0, 2.0], metadata=None, field="")
    for _ in range(2):
        upsert(request(replace(write, metadata={"n": 1}), namespace="vectors", model_id=external_model))
        rows("UPDATE namespace SET store_text = false RETURNING id")
        upsert(request(replace(write, metadata={"n": 2}), namespace="vectors", model_id=external_model))
        assert _texts() == ["", ""]


def test_a_quarantined_text_goes_and_the_same_text_sent_again_is_new_work() -> None:
    put(("second", "poison"))
    for _ in range(3):
        index(lambda spec, texts: failing("model_error", len(texts)))
        make_due()
    assert (record("second")[0], _texts()) == ("quarantined", ["", ""])
    assert put(("second", "poison"))[0].state == "pending"
    index()
    assert record("second")[0] == "ready"


def test_a_delete_forgets_the_cached_vector_of_a_text_that_is_gone() -> None:
    text = "a text that no other test forgets"
    spec = registry.active_spec(None)
    key = cache_key(spec, InputType.DOCUMENT, text)
    vector = EmbeddedText(np.ones(spec.dimension, np.float32), 1, truncated=False)
    until_cached(spec, key, vector.to_frame())
    put(("second", text))
    index()
    assert list(cached_vectors().find(spec, [key])) == [key]
    delete(NAMESPACE, "second")
    assert cached_vectors().find(spec, [key]) == {}

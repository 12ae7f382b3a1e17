"""Other names of models mean the model wherever a name is taken."""

from collections.abc import Iterator

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app import registry
from embeddings_app.models import ModelAlias
from embeddings_app.services import namespaces
from embeddings_app.services.documents.namespace_changes import create
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.model_versions.aliases import list_aliases, remove_alias, set_alias
from tests.integration.indexing_steps import NAMESPACE, document, request, rows

pytestmark = pytest.mark.usefixtures("database")
OWN, OTHER = "all-MiniLM-L6-v2", "text-embedding-3-small"


@pytest.fixture(autouse=True)
def no_aliases() -> Iterator[None]:
    ModelAlias.objects.all().delete()
    registry.forget_cached()
    yield
    ModelAlias.objects.all().delete()
    registry.forget_cached()


def test_an_alias_means_the_model_and_its_versions() -> None:
    with pytest.raises(ServiceError):
        registry.active_spec(OTHER)
    set_alias(OTHER, OWN, "test")
    assert registry.active_spec(OTHER) == registry.active_spec(OWN)
    assert registry.asked_spec(OTHER, 1) == registry.asked_spec(OWN, 1)
    assert list_aliases() == [(OTHER, OWN)]
    assert remove_alias(OTHER, "test")
    assert not remove_alias(OTHER, "test")
    with pytest.raises(ServiceError):
        registry.active_spec(OTHER)


def test_a_namespace_has_the_own_name_of_its_model() -> None:
    set_alias(OTHER, OWN, "test")
    upsert(request(document("a", "text"), model_id=OTHER))
    assert rows("SELECT model_id FROM namespace") == [(OWN,)]
    upsert(request(document("b", "text"), model_id=OWN))
    space = namespaces.namespace(NAMESPACE)
    namespaces.check_model(space, OTHER)
    assert create(NAMESPACE, OTHER, store_text=True, actor="test")[1] is False


def test_what_cannot_be_an_alias_is_refused() -> None:
    for name, model_id, code in (
        (OWN, OWN, "invalid_value"),
        (OTHER, "no-such", "unknown_model"),
        ("a b", OWN, "invalid_value"),
    ):
        with pytest.raises(ServiceError) as caught:
            set_alias(name, model_id, "test")
        assert caught.value.code == code
    assert list_aliases() == []

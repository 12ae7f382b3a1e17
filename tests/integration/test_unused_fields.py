"""A metadata field counts as long as a document has it; its kinds are those of its values."""

import pytest

from embedding_project.contracts.errors import InvalidRequest
from embeddings_app.records import namespaces
from embeddings_app.services import namespaces as namespaces_read
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.namespace_status import namespace_status
from tests.integration.indexing_steps import NAMESPACE, put, rows

pytestmark = pytest.mark.usefixtures("database")
FULL = {f"f{number:02}": 1 for number in range(64)}


def test_fields_of_documents_that_are_rewritten_or_deleted_make_room() -> None:
    put(("a", "text"), metadata=FULL)
    put(("b", "text"), metadata={"f01": 1})
    delete(NAMESPACE, "a")
    (result,) = put(("c", "text"), metadata={"new": 1})
    assert result.revision == 1
    assert rows("SELECT fields FROM namespace") == [(["f01", "new"],)]


def test_a_refusal_says_when_a_field_without_documents_makes_room() -> None:
    put(("a", "text"), metadata=FULL)
    with pytest.raises(InvalidRequest) as caught:
        put(("b", "text"), metadata={"new": 1})
    assert caught.value.message == (
        "namespace 'tests' would exceed 64 fields; "
        "a field that no document has any more makes room 10 s later at the latest"
    )


def test_a_field_in_a_list_of_objects_is_in_use() -> None:
    put(("a", "text"), metadata={"authors": [{"name": "Ann"}]})
    assert namespace_status(NAMESPACE).fields == ("authors", "authors.name")
    assert namespace_status(NAMESPACE).unused_fields == ()


def test_a_typo_is_seen_and_goes_only_when_there_is_no_room() -> None:
    put(("a", "text"), metadata={"lnag": "en"})
    put(("a", "text"), metadata={"lang": "en"})
    namespaces_read.forget_cached()
    status = namespace_status(NAMESPACE)
    assert (status.fields, status.unused_fields) == (("lang", "lnag"), ("lnag",))


def test_a_namespace_that_is_too_large_to_look_through_keeps_its_fields() -> None:
    put(("a", "text"), metadata={"lang": "en"})
    (namespace_key,) = rows("SELECT id FROM namespace")[0]
    assert namespaces.unused_fields(namespace_key, seconds=-1.0) is None


def test_kinds_of_fields_are_those_of_live_documents() -> None:
    put(("a", "one"), metadata={"n": 1, "tags": ["x"], "in": {"free": True}, "each": [{"k": "v"}, {"k": 2}]})
    put(("b", "two"), metadata={"n": "1", "nothing": None})
    put(("c", "three"), metadata={"n": False})
    delete(NAMESPACE, "c")
    assert namespaces.kinds_of_fields(namespaces_read.namespace(NAMESPACE).pk) == {
        "n": {"number", "str"}, "tags": {"list"}, "in.free": {"bool"}, "each": {"list"}, "each.k": {"str", "number"},
    }  # fmt: skip

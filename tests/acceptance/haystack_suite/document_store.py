"""Haystack's own tests of a document store, with a running service (SERVICE_URL).

The service keeps documents by their ids, and makes the vectors itself; Haystack leaves it to each store to say so.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from embsearch.haystack import EmbSearchDocumentStore
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DocumentStore, DuplicatePolicy
from haystack.testing.document_store import (
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
    DocumentStoreBaseExtendedTests,
)


class TestDocumentStore(
    DocumentStoreBaseExtendedTests,
    CountDocumentsByFilterTest,
    CountUniqueMetadataByFilterTest,
):
    @pytest.fixture
    def document_store(self) -> Iterator[EmbSearchDocumentStore]:
        store = EmbSearchDocumentStore("haystack", url=os.environ["SERVICE_URL"])
        yield store
        store.delete_all_documents()
        store.close()

    def assert_documents_are_equal(self, received: list[Document], expected: list[Document]) -> None:
        assert [replace(one, embedding=None) for one in received] == [
            replace(one, embedding=None) for one in sorted(expected, key=lambda one: one.id)
        ]

    def test_write_documents(self, document_store: DocumentStore) -> None:
        one = Document(content="test doc")
        assert document_store.write_documents([one]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([one], DuplicatePolicy.NONE)
        assert document_store.filter_documents() == [one]

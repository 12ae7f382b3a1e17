"""Bodies of /v1/upsert: one document, or a list of them."""

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_UPSERT_DOCUMENTS
from embedding_project.contracts.metadata import checked_metadata
from embedding_project.contracts.text import checked_text
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import checked_doc_id, model_id_of, namespace_of
from embeddings_app.services.documents.upserting import DocumentWrite, UpsertRequest, Wait

_DOCUMENT = frozenset({"id", "text", "vector", "metadata"})
_SHARED = frozenset({"namespace", "model_id", "wait"})


def upsert_request(body: dict[str, object]) -> UpsertRequest:
    """Raises InvalidRequest."""
    fields = Fields(body)
    if "documents" in fields:
        fields.refuse_others(_SHARED | {"documents"})
        documents = _documents(fields)
    else:
        fields.refuse_others(_SHARED | _DOCUMENT)
        documents = (_document(fields, ""),)
    return UpsertRequest(
        namespace=namespace_of(fields),
        model_id=model_id_of(fields),
        documents=documents,
        wait=Wait(fields.choice("wait", Wait.ACCEPTED, tuple(Wait))),
    )


def _documents(fields: Fields) -> tuple[DocumentWrite, ...]:
    documents: dict[str, DocumentWrite] = {}
    for index, item in enumerate(fields.items("documents", MAX_UPSERT_DOCUMENTS)):
        path = f"documents[{index}]"
        document_fields = Fields(item, path)
        document_fields.refuse_others(_DOCUMENT)
        document = _document(document_fields, path)
        if document.doc_id in documents:
            raise InvalidRequest("duplicate_id", field=f"{path}.id")
        documents[document.doc_id] = document
    return tuple(documents.values())


def _document(fields: Fields, path: str) -> DocumentWrite:
    doc_id = checked_doc_id(fields.required("id"), fields.path("id"))
    vector = fields.optional_items("vector")
    # A text beside a vector is stored with it, where the model takes vectors; without a vector it is what is embedded.
    text = checked_text(fields.required("text"), fields.path("text")) if vector is None or "text" in fields else None
    metadata = fields.required("metadata") if "metadata" in fields else None
    return DocumentWrite(
        doc_id=doc_id,
        text=text,
        vector=vector,
        metadata=checked_metadata(metadata, fields.path("metadata")) if "metadata" in fields else None,
        field=path,
    )

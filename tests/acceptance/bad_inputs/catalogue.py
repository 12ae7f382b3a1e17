"""The catalogue of bad input: every row, in the order of the reference page."""

from tests.acceptance.bad_inputs import document_lists, documents, imports, keys, requests, searches, texts, versions

CASES = [
    *requests.syntax(),
    *requests.transport(),
    *texts.rerank(),
    *texts.embed(),
    *texts.openai(),
    *texts.tokenize(),
    *texts.tei(),
    *documents.upsert(),
    *documents.upsert_of_several(),
    *document_lists.document_lists(),
    *document_lists.namespaces(),
    *searches.vectors(),
    *searches.search(),
    *searches.words(),
    *requests.urls(),
    *requests.parameters(),
    *requests.idempotency_keys(),
    *versions.versions(),
    *versions.version_steps(),
    *versions.runs(),
    *imports.imports(),
    *keys.keys(),
]

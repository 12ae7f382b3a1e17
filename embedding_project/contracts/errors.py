"""The errors of the service: one tree, one table from code to HTTP status.

ServiceError            has a stable code; the table has its status and whether a retry can help
├── InvalidRequest      a mistake of the client; names the field
└── Unavailable         a fault of a dependency, or a full queue; has the seconds to wait before the next try
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorKind:
    status: int
    retryable: bool
    meaning: str


ERROR_KINDS: Mapping[str, ErrorKind] = {
    "invalid_json": ErrorKind(400, False, "The body is not one JSON object in UTF-8."),
    "missing_field": ErrorKind(400, False, "A required field is absent."),
    "unknown_field": ErrorKind(400, False, "The body has a field that this endpoint does not know."),
    "invalid_type": ErrorKind(400, False, "A field has the wrong JSON type; nothing is coerced."),
    "invalid_value": ErrorKind(400, False, "A field is outside its documented range."),
    "too_many_items": ErrorKind(400, False, "A list is longer than its limit."),
    "empty_input": ErrorKind(400, False, "A text has no visible character, or the model reads no token of it."),
    "text_too_long": ErrorKind(400, False, "A text is longer than 32 KiB in UTF-8."),
    "invalid_text": ErrorKind(400, False, "A text holds NUL or an unpaired surrogate."),
    "invalid_number": ErrorKind(400, False, "A number is not finite, or not finite as float32."),
    "dimension_mismatch": ErrorKind(400, False, "A vector has another dimension than its model."),
    "zero_vector": ErrorKind(400, False, "A vector of length zero has no direction to compare."),
    "duplicate_id": ErrorKind(400, False, "One request names the same document twice."),
    "invalid_filter": ErrorKind(400, False, "The filter does not follow the filter grammar."),
    "too_many_fields": ErrorKind(400, False, "The namespace would get more than 64 metadata fields."),
    "unsupported_modality": ErrorKind(400, False, "The model does not take text."),
    "wrong_model_type": ErrorKind(
        400, False, "The model embeds texts where one that ranks them is needed, or the other way round."
    ),
    "vector_required": ErrorKind(400, False, "The namespace's model takes vectors from the client."),
    "text_required": ErrorKind(400, False, "The namespace's model embeds text; vectors are not accepted."),
    "invalid_token": ErrorKind(400, False, "The token is forged, or ahead of the log."),
    "too_many_tokens": ErrorKind(400, False, "The text is longer than the model reads, and may not be cut."),
    "ids_not_accepted": ErrorKind(400, False, "The model takes text, not token ids."),
    "invalid_ids": ErrorKind(400, False, "A token id is not in the model's vocabulary."),
    "no_tokenizer": ErrorKind(400, False, "The model is behind an endpoint, so its tokenizer is not available here."),
    "unauthenticated": ErrorKind(401, False, "The key is missing or wrong."),
    "forbidden_scope": ErrorKind(403, False, "The key does not allow this."),
    "forbidden_namespace": ErrorKind(403, False, "The key does not allow this namespace."),
    "forbidden_host": ErrorKind(403, False, "The service does not answer requests for this Host header."),
    "source_not_allowed": ErrorKind(403, False, "The files do not lie below a prefix of BULK_SOURCES."),
    "https_required": ErrorKind(403, False, "The service takes requests of the API only over HTTPS."),
    "not_found": ErrorKind(404, False, "There is no such path."),
    "unknown_model": ErrorKind(404, False, "No such model, or no such version of it, is registered."),
    "unknown_document": ErrorKind(404, False, "There is no such document in the namespace."),
    "unknown_run": ErrorKind(404, False, "There is no such re-embedding run."),
    "unknown_import": ErrorKind(404, False, "There is no such import, or the key does not allow its namespace."),
    "unknown_key": ErrorKind(404, False, "No key has this prefix."),
    "unknown_namespace": ErrorKind(404, False, "Nothing was ever written to this namespace."),
    "method_not_allowed": ErrorKind(405, False, "The path does not support this method."),
    "body_timeout": ErrorKind(408, True, "The body did not arrive within 30 seconds."),
    "model_not_active": ErrorKind(
        409, False, "The model has no active version, or a search asks for one without a whole index."
    ),
    "illegal_step": ErrorKind(
        409, False, "The model version, the run or the import cannot take this step in its state."
    ),
    "does_not_fit": ErrorKind(409, False, "The machine has too little disk or memory for what was asked."),
    "gate_closed": ErrorKind(409, False, "The model version was not measured lately, or is not good enough to answer."),
    "revision_conflict": ErrorKind(409, False, "The document is at another revision than the write asks for."),
    "idempotency_key_reused": ErrorKind(409, False, "The Idempotency-Key was sent with another request before."),
    "not_embedded": ErrorKind(409, False, "The vector of a document that a search is to be like is not made yet."),
    "namespace_in_use": ErrorKind(409, False, "A bulk job loads documents into the namespace."),
    "namespace_exists": ErrorKind(409, False, "The namespace has other settings, which cannot be changed."),
    "text_search_off": ErrorKind(409, False, "The namespace keeps no words of its texts, so none can be searched."),
    "text_not_kept": ErrorKind(409, False, "The namespace keeps no texts, so it cannot keep their words."),
    "model_mismatch": ErrorKind(409, False, "The namespace belongs to another model."),
    "token_expired": ErrorKind(409, False, "The token is of another log epoch, layout or model version."),
    "body_too_large": ErrorKind(413, False, "The body is larger than 8 MiB."),
    "unsupported_media_type": ErrorKind(415, False, "The body must be application/json in UTF-8."),
    "overloaded": ErrorKind(429, True, "Too many requests are in progress."),
    "rate_limited": ErrorKind(429, True, "The key has used up its requests or inputs for now."),
    "internal_error": ErrorKind(500, True, "The service failed unexpectedly; the log has the cause."),
    "model_error": ErrorKind(503, True, "The model could not embed the text."),
    "model_unavailable": ErrorKind(
        503, True, "No embedder can load or reach the model; the log of the embedder says why."
    ),
    "embedder_unavailable": ErrorKind(503, True, "No embedder answered in time."),
    "index_unavailable": ErrorKind(503, True, "No index node answered in time."),
    "broker_unavailable": ErrorKind(503, True, "The message broker cannot be reached."),
    "database_unavailable": ErrorKind(503, True, "Postgres cannot be reached, or takes no more connections."),
    "busy": ErrorKind(503, True, "Other requests changed the same documents during each try."),
    "too_slow": ErrorKind(503, True, "Postgres did not answer in time, or the search reads too much for its time."),
    "not_caught_up": ErrorKind(503, True, "The index has not reached the position of the token yet."),
}


class ServiceError(Exception):
    """An error that the client gets, with a code of `ERROR_KINDS`."""

    def __init__(self, code: str, message: str = "", *, field: str | None = None) -> None:
        self.kind = ERROR_KINDS[code]
        self.code = code
        self.field = field
        self.message = message or self.kind.meaning
        super().__init__(self.message)


class InvalidRequest(ServiceError):
    """The request cannot be served as it stands; `field` is a path such as `documents[3].id`."""


class Unavailable(ServiceError):
    """The request may succeed later."""

    def __init__(self, code: str, message: str = "", *, retry_after_seconds: int = 1) -> None:
        super().__init__(code, message)
        self.retry_after_seconds = retry_after_seconds

"""Every limit that a client can meet, in one place. A test compares the API reference with these names."""

MAX_EMBED_INPUTS = 256
MAX_RERANK_DOCUMENTS = 256
MAX_OPENAI_INPUTS = 2_048
MAX_INPUT_IDS = 8_192
"""Token ids sent in place of one text."""
MAX_TEXT_BYTES = 32 * 1024
MAX_BODY_BYTES = 8 * 1024 * 1024
BODY_DEADLINE_SECONDS = 30.0
DRAINS_AT_ONCE = 8
"""So many answers of a process read the rest of a body first; further ones close the connection."""
PAGES_AT_ONCE = 16
"""Requests to the admin, the console, the documentation and their files, at the same time in one process.

A browser loads six files at a time, and one address may hold three quarters: a file of a page must never be refused."""
MAX_JSON_DEPTH = 32
MAX_JSON_NODES = 128 * 1024
"""Objects, lists and members of objects in a body, all together."""
MAX_UPSERT_DOCUMENTS = 256
MAX_DOC_ID_BYTES = 512
MAX_NAMESPACE_LENGTH = 63
MAX_MODEL_ID_LENGTH = 128
MAX_MODEL_VERSION = 2**31 - 1
MAX_DIMENSION = 16_384
MAX_ARTIFACT_LENGTH = 512
"""Also of an endpoint, and of a prompt."""
MAX_REASON_LENGTH = 500
MAX_DOCUMENTS_PER_SECOND = 1_000_000.0
MAX_IDEMPOTENCY_KEY_LENGTH = 255
MAX_KEPT_ANSWER_BYTES = 256 * 1024
"""Of the answer to a write with an `Idempotency-Key`."""
KEPT_ANSWER_HOURS = 24
MAX_LISTED_DOCUMENTS = 1_000
DEFAULT_LISTED_DOCUMENTS = 100
MAX_NAMED_DOCUMENTS = 256
"""Ids in one request that reads, changes or deletes documents."""
MAX_MAPPED_DOCUMENTS = 5_000
DEFAULT_MAPPED_DOCUMENTS = 2_000
MAX_FACET_VALUES = 1_000
DEFAULT_FACET_VALUES = 10
MAX_PAGE_ITEMS = 100
DEFAULT_PAGE_ITEMS = 20

MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 5
MAX_METADATA_KEYS = 64
MAX_METADATA_KEY_LENGTH = 128
MAX_NAMESPACE_FIELDS = 64
"""Distinct metadata fields of one namespace: each is a column on every index node."""

MAX_TOP_K = 1_000
DEFAULT_TOP_K = 10
MAX_BATCH_SEARCHES = 64
MAX_LIKED_DOCUMENTS = 32
"""Documents that a search is to be like, and as many that it is to be unlike."""
MAX_TEXT_QUERY_PARTS = 16
"""Phrases of one text query, and as many prefixes and exact parts."""
MAX_TEXT_QUERY_LENGTH = 512
"""Characters of each of them."""
MAX_HIGHLIGHTED_HITS = 100
MAX_EF_SEARCH = 4_096
DEFAULT_EF_SEARCH = 100
MAX_FILTER_CONDITIONS = 64
MAX_FILTER_DEPTH = 4
MAX_FILTER_LIST = 256

EMBED_DEADLINE_SECONDS = 30.0
SEARCH_DEADLINE_SECONDS = 2.0
WAIT_DEADLINE_SECONDS = 10.0
"""How long `wait` on an upsert may hold the answer back."""

EMBED_BATCH_ITEMS = 64
EMBED_BATCH_WAIT_SECONDS = 0.005
SEGMENT_ROWS = 4_096
"""Vectors of one flat segment, of which graphs are made."""
LEAST_WAITING_ROWS = 8_192
"""While writes go on, a build waits for so many rows, at least,"""
MOST_WAITING_ROWS = 32_768
"""and for as many as are in graphs, but for no more than this: comparing them one by one takes 10 ms."""
MOST_BUILT_AT_ONCE = 262_144
"""Documents that one build of an index node brings into a graph: a minute or two, after which searches are faster."""

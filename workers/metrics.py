"""The metrics of an embedder. Processes share them through prometheus_client's own directory when that is set."""

from prometheus_client import Counter, Histogram

_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

BATCHES = Counter("embedder_batches_total", "Batches by how they ended.", ["lane", "outcome"])
"""outcome: answered, expired (after the deadline), requeued (at a stop)"""
CORRUPT_MESSAGES = Counter("embedder_corrupt_messages_total", "Messages dropped because they are no embed batch.")
ITEMS = Counter("embedder_items_total", "Texts by outcome.", ["lane", "outcome"])
"""outcome: embedded, model_error, model_unavailable, refused (it failed alone several times)"""
BATCH_ITEMS = Histogram("embedder_batch_items", "Texts in one message.", ["lane"], buckets=(1, 2, 4, 8, 16, 32, 64))
TOKENS = Counter("embedder_tokens_total", "Tokens computed, special ones included.", ["lane"])
PADDED_TOKENS = Counter("embedder_padded_tokens_total", "Tokens computed, padding included.", ["lane"])
STEP_ITEMS = Histogram("embedder_step_items", "Texts in one forward pass.", ["lane"], buckets=(1, 2, 4, 8, 16, 32, 64))
STEP_FILL = Histogram(
    "embedder_step_fill", "Share of a budget that a forward pass used.", ["lane", "budget"], buckets=_SHARES
)
"""budget: items, tokens"""
STEP_SECONDS = Histogram(
    "embedder_step_seconds",
    "Duration of one forward pass.",
    ["lane"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
WAIT_SECONDS = Histogram(
    "embedder_wait_seconds",
    "How long the oldest text of a forward pass waited for it, tokenised.",
    ["lane"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
TOKENIZE_SECONDS = Histogram(
    "embedder_tokenize_seconds",
    "Duration of tokenising one batch.",
    ["lane"],
    buckets=(0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5),
)
LOAD_FAILURES = Counter("embedder_model_load_failures_total", "Models that could not be loaded.")
STEP_FAILURES = Counter("embedder_step_failures_total", "Forward passes that failed and were halved to find the cause.")
BROKER_ERRORS = Counter("embedder_broker_errors_total", "Broker calls that failed; they are tried again.")
ENDPOINT_REQUESTS = Counter("embedder_endpoint_requests_total", "Requests to endpoints by outcome.", ["outcome"])
"""outcome: answered, refused (the texts), failed (time-outs, 429, 5xx, and other passing faults)"""
ENDPOINT_TOKENS = Counter("embedder_endpoint_tokens_total", "Tokens that endpoints say they have read.")

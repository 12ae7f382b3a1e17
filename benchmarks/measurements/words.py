"""What searches by words, by meaning and by both find of what people judged relevant, and how long they take."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.client import Client
from benchmarks.cranfield import FOLDER, Collection, Ranking, collection, ndcg, recall
from benchmarks.errors import BenchmarkError
from benchmarks.latency import summarize, time_each
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.report import Figure

_DEPTH, _RECALL_DEPTH = 10, 100
_BATCH = 128
_LIMIT_SECONDS = 1_800.0
_LANGUAGES = ("english", "simple")
_ROUNDS = 3
Ways = Mapping[str, Mapping[str, object]]
_WAYS: Ways = {
    "meaning": {},
    "words": {"mode": "text"},
    "both": {"mode": "hybrid"},
    "both, meaning twice": {"mode": "hybrid", "weights": {"vector": 2, "text": 1}},
}


def measure(folder: Path = FOLDER) -> list[Figure]:
    data = collection(folder)
    with own_directory() as directory, own_instance(directory) as instance:
        client = Client(instance.url)
        for language in _LANGUAGES:
            _fill(client, language, data)
        figures = [figure for language in _LANGUAGES for figure in _quality(client, language, data)]
        figures += _times(client, _LANGUAGES[0], data)
        client.close()
    return figures


def _fill(client: Client, language: str, data: Collection) -> None:
    client.put(f"/v1/namespaces/{language}", {"text_search": language})
    documents = [{"id": doc_id, "text": text} for doc_id, text in data.documents.items()]
    for start in range(0, len(documents), _BATCH):
        client.post("/v1/upsert", {"namespace": language, "documents": documents[start : start + _BATCH]})
    client.wait_until_searchable(language, len(documents), _LIMIT_SECONDS)


def _quality(client: Client, language: str, data: Collection) -> list[Figure]:
    figures = []
    for name, way in _WAYS.items():
        if language != _LANGUAGES[0] and not way:
            continue
        rankings = {query: _search(client, language, text, way) for query, text in data.queries.items()}
        told = f"{name}, {language}" if way else name
        note = f"{len(data.queries)} queries, {len(data.documents):,} documents"
        figures.append(Figure(f"nDCG@{_DEPTH}, {told}", ndcg(rankings, data.relevance, _DEPTH), "", note=note))
        found = recall(rankings, data.relevance, _RECALL_DEPTH)
        figures.append(Figure(f"recall@{_RECALL_DEPTH}, {told}", found, ""))
    return figures


def _search(client: Client, language: str, text: str, way: Mapping[str, object], top_k: int = _RECALL_DEPTH) -> Ranking:
    answer = client.post("/v1/search", {"namespace": language, "query": text, "top_k": top_k, "include": [], **way})
    if answer["partial"]:
        raise BenchmarkError(f"a search was answered in part: {answer}")
    return [hit["id"] for hit in answer["hits"]]


def _times(client: Client, language: str, data: Collection) -> list[Figure]:
    """In turns, so that a machine that is busy for a while is busy for all; the vectors of the queries are cached."""
    texts = list(data.queries.values())
    times: dict[str, list[float]] = {name: [] for name in _WAYS}
    for _ in range(_ROUNDS):
        for name, way in _WAYS.items():
            latency = time_each(partial(_search, client, language, way=way, top_k=_DEPTH), texts)
            times[name].append(latency.p50_ms)
    note = f"{language}, top_k {_DEPTH}, one client, median of {_ROUNDS} rounds; query vectors are cached"
    return [Figure(f"p50, {name}", summarize(found).p50_ms, "ms", note=note) for name, found in times.items()]

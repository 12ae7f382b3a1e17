"""The Cranfield collection, judged by people, and how good a ranking is against those judgements."""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.errors import BenchmarkError
from embedding_project.config import PROJECT_ROOT

FOLDER = PROJECT_ROOT / ".." / "shared" / "data" / "cranfield"

Ranking = Sequence[str]
"""Document ids, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    documents: Mapping[str, str]
    """Id -> text. Documents without any text are left out."""
    queries: Mapping[str, str]
    relevance: Mapping[str, Mapping[str, int]]
    """Query -> document -> 0 to 4."""


def collection() -> Collection:
    """Raises BenchmarkError when it does not lie beside the checkout."""
    if not FOLDER.is_dir():
        raise BenchmarkError(f"{FOLDER.relative_to(PROJECT_ROOT)} is absent: retrieval quality is not measured")
    relevance: defaultdict[str, dict[str, int]] = defaultdict(dict)
    with (FOLDER / "qrels.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            relevance[row["query_id"]][row["doc_id"]] = int(row["relevance"])
    documents = _texts("documents.jsonl")
    return Collection(
        documents={doc_id: text for doc_id, text in documents.items() if text.strip()},
        queries=_texts("queries.jsonl"),
        relevance=relevance,
    )


def _texts(name: str) -> dict[str, str]:
    with (FOLDER / name).open(encoding="utf-8") as lines:
        return {item["id"]: item["text"] for item in map(json.loads, lines)}


def ndcg(rankings: Mapping[str, Ranking], relevance: Mapping[str, Mapping[str, int]], depth: int) -> float:
    """Mean nDCG at `depth` over the queries, with a gain of 2^relevance - 1."""
    return float(np.mean([_ndcg(ranking, relevance[query], depth) for query, ranking in rankings.items()]))


def _ndcg(ranking: Ranking, judged: Mapping[str, int], depth: int) -> float:
    best = _gain(sorted(judged.values(), reverse=True)[:depth])
    return _gain([judged.get(doc_id, 0) for doc_id in ranking[:depth]]) / best if best else 0.0


def _gain(relevances: Sequence[int]) -> float:
    return sum((2.0**relevance - 1) / math.log2(place + 2) for place, relevance in enumerate(relevances))


def recall(rankings: Mapping[str, Ranking], relevance: Mapping[str, Mapping[str, int]], depth: int) -> float:
    """Mean share of the relevant documents among the first `depth`."""
    shares = []
    for query, ranking in rankings.items():
        wanted = {doc_id for doc_id, grade in relevance[query].items() if grade > 0}
        if wanted:
            shares.append(len(wanted & set(ranking[:depth])) / len(wanted))
    return float(np.mean(shares))

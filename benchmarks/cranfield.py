"""Collections judged by people, Cranfield above all, and how good a ranking is against those judgements."""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def collection(folder: Path = FOLDER) -> Collection:
    """Of documents.jsonl, queries.jsonl and qrels.tsv, or of corpus.jsonl and qrels/test.tsv, as BEIR has them. Raises
    BenchmarkError when it does not lie there."""
    if not folder.is_dir():
        raise BenchmarkError(f"{folder} is absent: retrieval quality is not measured")
    documents = _texts(_first(folder, "documents.jsonl", "corpus.jsonl"))
    relevance = _judgements(_first(folder, "qrels.tsv", "qrels/test.tsv"))
    return Collection(
        documents={doc_id: text for doc_id, text in documents.items() if text.strip()},
        queries={query: text for query, text in _texts(folder / "queries.jsonl").items() if query in relevance},
        relevance=relevance,
    )


def _first(folder: Path, *names: str) -> Path:
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise BenchmarkError(f"{folder} has neither {' nor '.join(names)}")
    return found[0]


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    relevance: defaultdict[str, dict[str, int]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        next(rows)
        for query, document, grade in rows:
            relevance[query][document] = int(grade)
    return relevance


def _texts(path: Path) -> dict[str, str]:
    """Id -> text, with the title before it where there is one."""
    with path.open(encoding="utf-8") as lines:
        return {item.get("id") or item["_id"]: _with_title(item) for item in map(json.loads, lines)}


def _with_title(item: Mapping[str, str]) -> str:
    return f"{item['title']} {item['text']}" if item.get("title") else item["text"]


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

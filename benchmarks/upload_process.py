"""`python -m benchmarks.upload_process WAY URL NAMESPACE MODEL COUNT`: loads documents, prints the seconds.

A process of its own, as a program that loads is: by the Python client, or by plain requests with ready arrays.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from embsearch import Client as PythonClient

from benchmarks import corpus
from benchmarks.client import Client, to_body
from benchmarks.errors import BenchmarkError

_BATCH, _PARALLEL, _LIMIT_SECONDS = 256, 2, 600.0


def _documents(count: int) -> Iterator[dict[str, Any]]:
    known = corpus.search_set()
    for number in range(count):
        document = known.documents[number]
        yield {
            "id": document.doc_id,
            "text": document.text,
            "metadata": document.metadata,
            "vector": known.vectors[number],
        }


def _by_requests(url: str, namespace: str, model: str, documents: list[dict[str, Any]]) -> None:
    client = Client(url)

    def send(start: int) -> None:
        body = {"namespace": namespace, "model_id": model, "documents": documents[start : start + _BATCH]}
        client.post_patiently("/v1/upsert", to_body(body), _LIMIT_SECONDS)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(send, range(0, len(documents), _BATCH)))
    client.close()


def _by_client(url: str, namespace: str, model: str, documents: list[dict[str, Any]]) -> None:
    with PythonClient(url) as client:
        report = client.namespace(namespace).upload(documents, batch=_BATCH, parallel=_PARALLEL, model_id=model)
    if report.failed_count:
        raise BenchmarkError(f"{report.failed_count} documents failed: {report.failed[0]}")


WAYS = {"requests": _by_requests, "client": _by_client}


if __name__ == "__main__":
    way, url, namespace, model, count = sys.argv[1:]
    documents = list(_documents(int(count)))
    began = time.perf_counter()
    WAYS[way](url, namespace, model, documents)
    print(time.perf_counter() - began)

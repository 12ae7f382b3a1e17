"""Clients that search all the time, and what they were answered."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    began_at: float
    """Monotonic, in seconds."""
    seconds: float
    status: int
    body: dict[str, Any]

    @property
    def partial(self) -> bool:
        return self.status == 200 and bool(self.body["partial"])

    @property
    def ids(self) -> set[str]:
        return {hit["id"] for hit in self.body["hits"]}

    @property
    def code(self) -> str:
        """Of a refusal; empty for an answer."""
        return "" if self.status == 200 else str(self.body["error"]["code"])


class Searchers:
    """Threads that send the same search again and again, from construction until `stop`."""

    def __init__(self, url: str, body: dict[str, Any], clients: int) -> None:
        self._url = url
        self._body = body
        self._answers: list[Answer] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._search) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Answer]:
        """Everything that was answered, in the order in which it was asked."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return sorted(self._answers, key=lambda answer: answer.began_at)

    def since(self, moment: float) -> list[Answer]:
        """What was asked since then and is answered by now."""
        return [answer for answer in list(self._answers) if answer.began_at >= moment]

    def _search(self) -> None:
        with httpx.Client(base_url=self._url, timeout=20) as client:
            while not self._stopped.is_set():
                began_at = time.monotonic()
                response = client.post("/v1/search", json=self._body)
                seconds = time.monotonic() - began_at
                answer = Answer(began_at=began_at, seconds=seconds, status=response.status_code, body=response.json())
                self._answers.append(answer)
                time.sleep(0.005)

"""What both runners need of httpx."""

import httpx

from embsearch.exchange import Call, Reply


def reply_of(response: httpx.Response) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status_code, headers=headers, content=response.content)


def timeout_of(call: Call) -> httpx.Timeout:
    """Nothing listens: that is known sooner than an answer comes."""
    return httpx.Timeout(call.timeout_seconds, connect=min(call.timeout_seconds, 5.0))

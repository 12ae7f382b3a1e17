"""What both runners need of httpx."""

import httpx

from embsearch.exchange import Call, Lost, Reply


def reply_of(response: httpx.Response) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status=response.status_code, headers=headers, content=response.content)


def timeout_of(call: Call) -> httpx.Timeout:
    """Nothing listens: that is known sooner than an answer comes."""
    return httpx.Timeout(call.timeout_seconds, connect=min(call.timeout_seconds, 5.0))


def headers_of(call: Call) -> dict[str, str]:
    """On top of those that every call has."""
    return {} if call.key is None else {"Idempotency-Key": call.key}


def lost(error: httpx.TransportError) -> Lost:
    was_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    asked = error.request.url
    return Lost(f"{asked.scheme}://{asked.netloc.decode()}: {type(error).__name__}: {error}", was_sent)

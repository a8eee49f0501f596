"""An HTTP transport that stops reading: at a size, at an instant, at an encoding that could unfold without end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx2


class AnswerTooLarge(Exception):
    """The answer is longer than is read. ``head`` is its beginning."""

    def __init__(self, limit: int, head: bytes) -> None:
        self.limit = limit
        self.head = head
        super().__init__(f"the answer is longer than {limit} bytes")


class DeadlineReached(Exception):
    """The answer was still coming when the time was over."""


class UnwantedEncoding(Exception):
    """The answer is compressed though the request asked for none."""


HEAD_BYTES = 16_384
"""How much of an answer that is too large is kept to look at."""


class BoundedTransport(httpx2.BaseTransport):
    """Hands requests on, and bounds what comes back.

    Args:
        limit: most bytes of a body.
        deadline: instant of ``monotonic`` after which no more is read.
        monotonic: clock in seconds.
    """

    def __init__(self, *, limit: int, deadline: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._inner = httpx2.HTTPTransport()
        self._limit = limit
        self._deadline = deadline
        self._monotonic = monotonic

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = self._inner.handle_request(request)
        if response.headers.get("content-encoding", "identity") not in ("", "identity"):
            response.close()
            raise UnwantedEncoding("the answer is compressed though the request asked for none")
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedStream(response, self._limit, self._deadline, self._monotonic),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._inner.close()


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, response: httpx2.Response, limit: int, deadline: float, monotonic: Callable[[], float]) -> None:
        self._response = response
        self._limit = limit
        self._deadline = deadline
        self._monotonic = monotonic

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        head = b""
        for chunk in self._response.iter_raw():
            read += len(chunk)
            head += chunk[: HEAD_BYTES - len(head)]
            if read > self._limit:
                raise AnswerTooLarge(self._limit, head)
            if self._monotonic() > self._deadline:
                raise DeadlineReached
            yield chunk

    def close(self) -> None:
        self._response.close()

"""One careful way to fetch over HTTP: known hosts only, bounded, retried, and no token in any text."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from urllib.parse import SplitResult, urlsplit

import httpx

from orchestrator.orders.sources import MAX_FILE_BYTES
from snipbench.clock import Clock, SystemClock
from snipbench.errors import SourceError

ATTEMPTS = 4
TIMEOUT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 20.0
"""A server that wants more patience gets none: who submitted is waiting for the answer."""


class Transport:
    """Fetches texts from one server.

    Args:
        hosts: ``name`` or ``name:port`` of the servers that may be asked.
        token: name and value of the header that authorises; sent to no other server, and never in clear over a
            network.
        clock: passes the time between two attempts.

    Raises:
        SourceError: ``refused``, the server may not be asked.
    """

    def __init__(
        self,
        url: str,
        hosts: Collection[str],
        *,
        token: tuple[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        parts = _checked(url, hosts)
        if token is not None and parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            raise SourceError("refused", f"a token is sent over https only, not to {parts.netloc}")
        if token is not None and not (token[1].isascii() and token[1].isprintable()):
            raise SourceError("refused", "the token has characters in it that a header cannot carry")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._clock = clock or SystemClock()
        self._secret = None if token is None else token[1]
        # The machine's proxies and .netrc files are not for this: both could bring in another server or password.
        self._client = httpx.Client(
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "snipbench", **({} if token is None else {token[0]: token[1]})},
        )

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, *, shown: str, limit: int = MAX_FILE_BYTES) -> Answer:
        """What the server answers for ``path`` (and query), tried again where that can help.

        Args:
            shown: what is fetched, for messages.
            limit: how many bytes the body may have.

        Raises:
            SourceError: no answer, too large a one, or a status other than 2xx, 3xx and 404, which the caller judges.
        """
        problem = SourceError("unavailable", f"{shown}: not fetched", retryable=True)
        for attempt in range(ATTEMPTS):
            wait = 0.25 * 2**attempt
            try:
                answer = self._once(path, shown, limit)
            except httpx.TimeoutException:
                problem = SourceError("unavailable", f"{shown}: no answer within {TIMEOUT_SECONDS:g} s", retryable=True)
            except httpx.TransportError as error:
                reason = self._clean(str(error) or type(error).__name__)
                problem = SourceError("unavailable", f"{shown}: {reason}", retryable=True)
            except httpx.HTTPError as error:
                raise SourceError("unavailable", f"{shown}: {self._clean(str(error))}") from None
            else:
                if answer.status != 429 and answer.status < 500:
                    return self._judged(answer, shown)
                problem, wait = self._busy(answer, shown, wait)
            if attempt + 1 < ATTEMPTS:
                if wait > LONGEST_WAIT_SECONDS:
                    break
                self._clock.sleep(wait)
        raise problem

    def _once(self, path: str, shown: str, limit: int) -> Answer:
        with self._client.stream("GET", f"{self._origin}{path}") as response:
            body = bytearray()
            deadline = time.monotonic() + TIMEOUT_SECONDS
            for piece in response.iter_bytes():
                body += piece
                if len(body) > limit:
                    raise SourceError("too_large", f"{shown}: larger than {limit} bytes")
                if time.monotonic() > deadline:
                    raise SourceError("unavailable", f"{shown}: too slow, not whole after {TIMEOUT_SECONDS:g} s")
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body))

    def _judged(self, answer: Answer, shown: str) -> Answer:
        if answer.status == 401:
            detail = "the token was refused" if self._secret else "a token is needed"
            raise SourceError("unauthorized", f"{shown}: {detail} (401)")
        if answer.status == 403:
            raise SourceError("unauthorized", f"{shown}: the token does not allow reading it (403)")
        if 300 <= answer.status < 400:
            where = urlsplit(answer.headers.get("location", ""))
            place = self._clean(f"{where.netloc}{where.path}") or "somewhere it does not tell"
            raise SourceError("moved", f"{shown}: moved to {place} ({answer.status}); submit the new link")
        if answer.status >= 400 and answer.status != 404:
            raise SourceError("unavailable", f"{shown}: the server answered {answer.status}")
        return answer

    def _busy(self, answer: Answer, shown: str, wait: float) -> tuple[SourceError, float]:
        asked = _seconds(answer.headers.get("retry-after"), self._clock.now())
        if asked is not None:
            wait = asked
        told = f"; it asks to wait {asked:.0f} s" if asked is not None else ""
        what = "too many requests" if answer.status == 429 else f"the server answered {answer.status}"
        reason = "busy" if answer.status == 429 else "unavailable"
        return SourceError(reason, f"{shown}: {what}{told}", retryable=True), wait

    def _clean(self, text: str) -> str:
        return text.replace(self._secret, "<redacted>") if self._secret else text


class Answer:
    """A server's answer; header names in lower case."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def text(self, shown: str) -> str:
        """The body as text.

        Raises:
            SourceError: ``changed``, it is no UTF-8.
        """
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SourceError("changed", f"{shown}: not UTF-8 (byte {error.start})") from None


def plain_location(url: str) -> str:
    """A URL without what may be secret: user, password, query, fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _checked(url: str, hosts: Collection[str]) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _, _ = parts.hostname, parts.port, httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise SourceError("refused", "the link is no URL") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise SourceError("refused", "the link is no http(s) URL")
    if parts.username is not None or parts.password is not None:
        raise SourceError("refused", "the link holds a user or password; send a token in a header instead")
    if parts.netloc.lower() not in hosts:
        raise SourceError(
            "refused", f"{parts.netloc!r} is not among the hosts that may be asked (SNIPBENCH_SOURCE_HOSTS)"
        )
    return parts


def _seconds(header: str | None, now: datetime) -> float | None:
    """``Retry-After`` in seconds, from either of its forms; ``None`` where it is neither."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())

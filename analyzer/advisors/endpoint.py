"""One request to an OpenAI-compatible endpoint, bounded in time and size. What it gives or raises holds no secret."""

from __future__ import annotations

import email.utils
import json
import math
import queue
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import openai

from analyzer.advisors.transport import AnswerTooLarge, BoundedTransport, DeadlineReached, UnwantedEncoding
from snipbench.redaction import Redactor

MAX_TOKENS_COUNTED = 2**53
DEFAULT_URL = "https://api.openai.com/v1"
"""The client library's, where no other is set."""
MAX_ANSWER_BYTES = 1_048_576
UNREACHED = "endpoint-unreached"
"""Ends the type of a gateway's problem document where the endpoint behind it was not reached."""
NO_KEY = "none"
"""Sent as the key to an endpoint that wants none; the client library insists on one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A completion. ``tokens`` is what the endpoint says it cost, ``None`` where it does not say."""

    raw: str
    text: str | None
    refusal: str | None
    finish_reason: str | None
    tokens: int | None
    model: str | None


class CallFailed(Exception):
    """A request that gave no completion.

    ``kind`` is one of ``timeout, connection, status, too_large, malformed``; ``text`` is the beginning of what came.
    ``unprocessed``: the endpoint surely did no work for it, so that it cost no tokens.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        text: str = "",
        unprocessed: bool = False,
    ) -> None:
        self.kind = kind
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.text = text
        self.unprocessed = unprocessed
        super().__init__(message)

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.kind == "connection" or self.status in (408, 409, 429) or (self.status or 0) >= 500


class Endpoint:
    """A place to send chat completions to.

    Args:
        base_url: such as ``http://127.0.0.1:8000/v1``; ``None``: the client library's default.
        api_key: bearer token; ``None`` where the endpoint wants none.
        redactor: knows the key and every other secret; all text passes through it as soon as it is read.
        max_bytes: longest answer that is read.
    """

    def __init__(
        self, *, base_url: str | None, api_key: str | None, redactor: Redactor, max_bytes: int = MAX_ANSWER_BYTES
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key or NO_KEY
        self._redactor = redactor
        self._max_bytes = max_bytes

    @property
    def address(self) -> str:
        """Where requests go, without what may be secret in it."""
        return self._redactor.text(self._base_url or DEFAULT_URL)

    def complete(self, request: dict[str, Any], *, seconds: float) -> Reply:
        """Send one chat completion and wait for its answer, at most ``seconds``.

        Raises:
            CallFailed: anything else than a completion came; it has no cause, since that would hold the key.
        """
        done: queue.SimpleQueue[Reply | CallFailed] = queue.SimpleQueue()
        deadline = time.monotonic() + seconds
        client = httpx2.Client(
            transport=BoundedTransport(limit=self._max_bytes, deadline=deadline),
            timeout=httpx2.Timeout(seconds),
            follow_redirects=False,
        )
        # A thread of its own, because no time-out of a client covers a slow name server or headers that drip.
        worker = threading.Thread(
            target=lambda: done.put(self._call(client, request, seconds)), name="advisor-call", daemon=True
        )
        worker.start()
        try:
            outcome = done.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            outcome = CallFailed("timeout", f"no answer within {seconds:.3g} s")
        finally:
            client.close()
        if isinstance(outcome, CallFailed):
            raise outcome
        return outcome

    def _call(self, client: httpx2.Client, request: dict[str, Any], seconds: float) -> Reply | CallFailed:
        """What the request gave. Returned rather than raised, so that no library error hangs on to it."""
        try:
            sender = openai.OpenAI(
                api_key=self._api_key, base_url=self._base_url, timeout=seconds, max_retries=0, http_client=client
            )
            answer = sender.chat.completions.with_raw_response.create(**request)
            return self._reply(answer.http_response.text)
        except Exception as error:  # noqa: BLE001 - whatever a hostile answer breaks must not end the order
            return self._failure(error, seconds)

    def _failure(self, error: Exception, seconds: float) -> CallFailed:
        text = self._redactor.text
        match error:
            case openai.APIStatusError():
                failure = self._status(error)
            case openai.APITimeoutError() | httpx2.TimeoutException() | DeadlineReached():
                failure = CallFailed("timeout", f"no answer within {seconds:.3g} s")
            case AnswerTooLarge():
                failure = CallFailed("too_large", str(error), text=text(error.head.decode("utf-8", "replace")))
            case UnwantedEncoding():
                failure = CallFailed("malformed", str(error))
            case openai.APIConnectionError():
                refused = isinstance(error.__cause__, httpx2.ConnectError)
                reason = text(str(error.__cause__ or error))
                failure = CallFailed("connection", f"connection failed: {reason}", unprocessed=refused)
            case _:
                failure = CallFailed("connection", text(f"{type(error).__name__}: {error}")[:500])
        return failure

    def _status(self, error: openai.APIStatusError) -> CallFailed:
        text = self._redactor.text(error.response.text[:4096])
        return CallFailed(
            "status",
            f"the endpoint answered with status {error.status_code}: {text[:500]}",
            status=error.status_code,
            retry_after_seconds=retry_after(error.response.headers.get("retry-after"), datetime.now(UTC)),
            text=text,
            unprocessed=error.status_code < 500 or UNREACHED in text,
        )

    def _reply(self, raw: str) -> Reply | CallFailed:
        raw = self._redactor.values(raw)
        try:
            document = json.loads(raw)
            choice = document["choices"][0]
            message = choice["message"]
            content, refusal = message.get("content"), message.get("refusal")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return CallFailed("malformed", "the answer is no chat completion", text=self._redactor.text(raw[:4096]))
        return Reply(
            raw=raw,
            text=content if isinstance(content, str) else None,
            refusal=refusal if isinstance(refusal, str) and refusal else None,
            finish_reason=_text(choice.get("finish_reason")),
            tokens=_tokens(document.get("usage")),
            model=_text(document.get("model")),
        )


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait; ``None`` where it says nothing usable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(value).astimezone(UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None


def _tokens(usage: object) -> int | None:
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    if isinstance(total, bool) or not isinstance(total, int) or total <= 0:
        return None
    return min(total, MAX_TOKENS_COUNTED)

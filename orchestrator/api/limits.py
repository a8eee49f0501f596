"""What is refused before a route sees it: bodies that are too large, requests under a foreign host name."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers

from orchestrator.api.problems import Problem, answer
from orchestrator.api.service import known
from orchestrator.api.tokens import Tokens

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


DROP_BODIES = 16
DROP_SECONDS = 5.0
"""So many times the largest body, and so long, is read of a larger one, to no use but the sender's."""


class BodyLimit:
    """ASGI layer that answers 413 to a body over ``limit`` bytes, however its length was announced.

    With ``tokens`` it keeps no body of anybody whose token it does not know: it answers 401.
    """

    def __init__(self, app: App, limit: int, tokens: Tokens | None = None) -> None:
        self._app = app
        self._limit = limit
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "0")
        more = scope["method"] in {"POST", "PUT", "PATCH"}
        refusal = self._stranger(headers) if more else None
        if refusal is None and (not announced.isdigit() or int(announced) > self._limit):
            refusal = self._too_large()
        if refusal is not None:
            if "expect" not in headers:  # else it waits for leave to send
                await self._drop(receive)
            await answer(refusal, scope["path"])(scope, receive, send)
            return
        # Read whole before the route: a stream that grows too long must not be half worked on.
        body = bytearray()
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                if more:
                    await self._drop(receive)
                await answer(self._too_large(), scope["path"])(scope, receive, send)
                return
        given = not body and scope["method"] not in {"POST", "PUT", "PATCH"}

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)

    async def _drop(self, receive: Receive) -> None:
        """Let a client send on for a while: one whose connection is cut in the middle may never see the answer."""
        dropped = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DROP_SECONDS):
                while dropped < DROP_BODIES * self._limit:
                    message = await receive()
                    dropped += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    def _too_large(self) -> Problem:
        return Problem(413, "too-large", f"a request has at most {self._limit} bytes", headers={"Connection": "close"})

    def _stranger(self, headers: Headers) -> Problem | None:
        """What to say to somebody whose token is not known."""
        if self._tokens is None:
            return None
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        try:
            known(self._tokens, credentials if scheme.lower() == "bearer" and credentials else None)
        except Problem as problem:
            return problem
        return None


class LoopbackName:
    """ASGI layer for an API without tokens: asked under a name of this machine only.

    Otherwise a page in a browser here could reach it through a name of its own that leads to the loopback.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_loopback(_host(Headers(scope=scope).get("host", ""))):
            problem = Problem(421, "host", "without tokens the API answers to localhost only")
            await answer(problem, scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is this machine's loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(header: str) -> str:
    """``[::1]:8000`` -> ``::1``."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()

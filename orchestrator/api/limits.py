"""What is refused before a route sees it: bodies that are too large, requests under a foreign host name."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers

from orchestrator.api.problems import Problem, answer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


DROP_BODIES = 16
DROP_SECONDS = 5.0
"""So many times the largest body, and so long, is read of a larger one, to no use but the sender's."""


class BodyLimit:
    """ASGI layer that answers 413 to a body over ``limit`` bytes, however its length was announced."""

    def __init__(self, app: App, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "0")
        if not announced.isdigit() or int(announced) > self._limit:
            if "expect" not in headers:  # else it waits for leave to send
                await self._drop(receive)
            await self._refuse(scope, receive, send)
            return
        # Read whole before the route: a stream that grows too long must not be half worked on.
        body = bytearray()
        more = scope["method"] in {"POST", "PUT", "PATCH"}
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                if more:
                    await self._drop(receive)
                await self._refuse(scope, receive, send)
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

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"a request has at most {self._limit} bytes"
        response = answer(Problem(413, "too-large", detail, headers={"Connection": "close"}), scope["path"])
        await response(scope, receive, send)


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

"""One log line and one count per request. Queries and headers stay out of both: they may hold secrets."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders

from orchestrator.api.limits import App, Message, Receive, Scope, Send
from orchestrator.api.metrics import Metrics

_log = logging.getLogger("snipbench.api")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Accounts:
    """ASGI layer; outermost, so that what other layers refuse is told too."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        status = 500

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, answered)
        finally:
            seconds = time.perf_counter() - begun
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD", "OPTIONS"} else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(method, route).observe(seconds)
            about = {name: value for name, value in scope.get("path_params", {}).items() if name in _IDS}
            about |= scope.get("state", {}).get("about", {})
            facts = {"method": method, "path": scope["path"], "route": route, "status": status}
            _log.info("request", extra={**facts, "seconds": round(seconds, 4), "request_id": request_id, **about})


_IDS = frozenset({"order_id", "task_id", "analysis_id"})

"""Requests that take minutes: begun under an id of the caller's, asked after until they have ended.

A connection that breaks, or an answer that is lost, costs nothing: the same id names the same work.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from typing import Any

Document = dict[str, Any]
AT_ONCE = 8
KEPT = 256
"""How many are remembered, those under way among them."""


class Requests:
    """Work under way and lately ended. Safe to use from several threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="request")
        self._known: OrderedDict[str, Future[Document]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, request_id: str, work: Callable[[], Document]) -> None:
        """Have ``work`` done, unless a request of that id is known already."""
        with self._lock:
            if request_id in self._known:
                return
            self._known[request_id] = self._pool.submit(work)
            ended = [name for name, future in self._known.items() if future.done()]
            for name in ended[: max(0, len(self._known) - KEPT)]:
                del self._known[name]

    def outcome(self, request_id: str, wait_seconds: float) -> Document | None:
        """What the work gave, raising what it raised; None while it goes on.

        Raises:
            KeyError: no such request is known (any more).
        """
        with self._lock:
            future = self._known[request_id]
        try:
            return future.result(wait_seconds)
        except StillRunning:
            if future.done():
                raise
            return None

    def close(self) -> None:
        """Begin nothing more; what is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

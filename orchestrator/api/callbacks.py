"""Telling a caller the end of every stage: signed POSTs, in order, at least once (decision 0163).

A receiver checks ``Snipbench-Signature: t=UNIX_SECONDS,v1=HEX``, where HEX is the HMAC-SHA-256 of ``t.body`` under the
shared secret, and drops what it saw already by ``Snipbench-Event-Id``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestrator.api.problems import Problem
from orchestrator.following import next_events
from orchestrator.settings import ServiceSettings
from snipbench.clock import Clock
from snipbench.errors import SnipbenchError
from snipbench.store.port import Document, DocumentStore

COLLECTION = "callbacks"
INTERVAL_SECONDS = 0.5
TIMEOUT_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 60.0
GIVE_UP_AFTER = 20
"""So many failures in a row, which takes a quarter of an hour, and the receiver is told nothing more."""

_log = logging.getLogger("snipbench.callbacks")


def check_callback(settings: ServiceSettings, url: str) -> None:
    """Refuse a URL that must not be called.

    Raises:
        Problem: 422 with the reason.
    """
    try:
        parts, _ = urlsplit(url), httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise Problem(422, "callback", "callback_url is no URL") from None
    if settings.callback_secret is None:
        raise Problem(422, "callback", "this service signs no callbacks: it was given no SNIPBENCH_CALLBACK_SECRET")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise Problem(422, "callback", "callback_url is an http(s) URL without a password in it")
    if parts.netloc.lower() not in settings.callback_hosts:
        raise Problem(
            422, "callback", f"{parts.netloc!r} is not among the hosts that may be called (SNIPBENCH_CALLBACK_HOSTS)"
        )


def register_callback(store: DocumentStore, task_id: str, url: str) -> None:
    """Have the ends of a task's stages told; the first URL of a task counts."""
    document = {"_id": task_id, "task_id": task_id, "url": url, "next": 1, "state": "open"}
    store.replace(COLLECTION, document, expected_version=None)


def reopen_callback(store: DocumentStore, task_id: str) -> None:
    """Have a task that goes on told on, after what was told; one that was given up stays so."""
    while (callback := store.get(COLLECTION, task_id)) is not None and callback["state"] != "given_up":
        # Written even where it is open: whoever is telling the former end just now must not close it.
        if store.replace(COLLECTION, {**callback, "state": "open"}, expected_version=callback["version"]):
            return


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The signature header of a body."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Caller:
    """The thread that tells. How far each receiver was told stands in the store."""

    def __init__(self, store: DocumentStore, clock: Clock, settings: ServiceSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._end = threading.Event()
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)
        self._thread = threading.Thread(target=self._run, name="callbacks", daemon=True)

    def start(self) -> None:
        """Begin telling; nothing to do without a secret, or without a host that may be called."""
        if self._settings.callback_secret is not None and self._settings.callback_hosts:
            self._thread.start()

    def stop(self) -> None:
        """Tell no more; what is left is told after the next start."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.close()

    def tell(self) -> None:
        """One round over all open callbacks."""
        for callback in list(self._store.find(COLLECTION, {"state": "open"})):
            if self._end.is_set():
                return
            if self._clock.monotonic() >= self._not_before.get(callback["_id"], 0.0):
                self._tell(callback)

    def _tell(self, callback: Document) -> None:
        task_id, told = str(callback["_id"]), callback["next"]
        events, ended = next_events(self._store, task_id, told)
        state = "open"
        for event in events:
            if event["stage"] is not None and not self._taken(callback, event):
                state = self._failed(task_id)
                break
            told = event["sequence"] + 1
        else:
            if ended is not None:
                state = "done" if self._taken(callback, _end(ended, told)) else self._failed(task_id)
        if (told, state) != (callback["next"], "open"):
            changed = {**callback, "next": told, "state": state}
            self._store.replace(COLLECTION, changed, expected_version=callback["version"])

    def _taken(self, callback: Document, event: Document) -> bool:
        """Whether the receiver took the event; only then are its earlier failures forgotten."""
        taken = self._post(callback["url"], event)
        if taken:
            self._failures.pop(str(callback["_id"]), None)
        return taken

    def _post(self, url: str, event: Document) -> bool:
        assert self._settings.callback_secret is not None
        body = json.dumps({key: value for key, value in event.items() if key not in {"_id", "version"}}).encode()
        timestamp = int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "Snipbench-Event-Id": str(event["_id"]),
            "Snipbench-Signature": sign(self._settings.callback_secret.value, timestamp, body),
        }
        try:
            return self._client.post(url, content=body, headers=headers).is_success
        except (httpx.HTTPError, httpx.InvalidURL):  # one that cannot be told must not keep the others waiting
            return False

    def _failed(self, task_id: str) -> str:
        """The callback's state after one more failure; the next attempt waits twice as long."""
        failures = self._failures.get(task_id, 0) + 1
        self._failures[task_id] = failures
        self._not_before[task_id] = self._clock.monotonic() + min(MAX_BACKOFF_SECONDS, 0.5 * 2**failures)
        if failures < GIVE_UP_AFTER:
            return "open"
        _log.warning("callback given up", extra={"task_id": task_id})
        return "given_up"

    def _run(self) -> None:
        while not self._end.wait(INTERVAL_SECONDS):
            try:
                self.tell()
            except SnipbenchError as error:
                _log.warning("cannot tell callbacks: %s", error)
            except Exception:  # noqa: BLE001 - a thread that ends unseen would tell nothing any more
                _log.exception("telling callbacks failed")


def _end(task: Document, sequence: int) -> dict[str, Any]:
    """The last thing that is told: how the task ended."""
    return {
        "_id": f"{task['_id']}:end:{sequence}",
        "task_id": task["_id"],
        "name": "task ended",
        "stage": None,
        "status": task["status"],
    }

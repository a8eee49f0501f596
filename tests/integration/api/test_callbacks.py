"""Callbacks: signed, in order, every end of stage, again until they are taken."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.api.callbacks import GIVE_UP_AFTER, Caller, register_callback
from orchestrator.leading.lease import TaskLease
from orchestrator.leading.taskbook import TaskBook
from orchestrator.settings import Secret
from snipbench.clock import SystemClock
from snipbench.domain.event import Stage
from snipbench.domain.run import TaskStatus
from snipbench.store.port import DocumentStore

from .conftest import FILES, ORDER, serving, settings_for

SECRET = "callback-secret-canary"


class Receiver(ThreadingHTTPServer):
    """Takes POSTs; the first ``refuse`` of them are answered with 503, and the end of a task where ``refuse_end``."""

    def __init__(self, refuse: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuse = refuse
        self.refuse_end = False
        self.ends_refused = 0
        self.taken: list[tuple[dict[str, str], bytes]] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.refuse:
            self.server.refuse -= 1
            self.send_response(503)
        elif self.server.refuse_end and json.loads(body)["stage"] is None:
            self.server.ends_refused += 1
            self.send_response(503)
        else:
            self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing."""


class SetClock(SystemClock):
    """Seconds pass as the test says."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver(refuse=1)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def complete(store: DocumentStore, task_id: str, status: TaskStatus = TaskStatus.COMPLETED) -> None:
    """Lead a task to its end, with one stage and one note."""
    with TaskLease.take(store, SystemClock(), task_id) as lease:
        book = TaskBook.open(store, SystemClock(), task_id, lease)
        book.log(Stage.TASK_STARTED)
        book.log("a note, which is no stage")
        book.finish(status)
        book.settle()


def test_every_stage_is_told_once_in_order_with_a_signature_that_holds(receiver: Receiver, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, callback_hosts=frozenset({receiver.host}), callback_secret=Secret(SECRET))
    with serving(settings) as served, served.client() as client:
        wanted = {"order": ORDER, "files": FILES, "callback_url": f"http://{receiver.host}/hook"}
        task_id = client.post("/orders", json=wanted).json()["task_id"]
        complete(served.service.store, task_id)
        deadline = time.monotonic() + 60
        while len(receiver.taken) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while served.service.store.count("callbacks", {"state": "done"}) == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    told = [json.loads(body) for _, body in receiver.taken]
    assert [one["stage"] for one in told] == [1, 2, 3, 4, None]
    assert (told[-1]["name"], told[-1]["status"]) == ("task ended", "completed")
    for headers, body in receiver.taken:
        timestamp, signature = (part.partition("=")[2] for part in headers["snipbench-signature"].split(","))
        expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(signature, expected)
        assert abs(int(timestamp) - time.time()) < 60
    ids = [headers["snipbench-event-id"] for headers, _ in receiver.taken]
    assert len(set(ids)) == 5
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_task_that_is_retried_is_told_on_to_its_next_end(receiver: Receiver, tmp_path: Path) -> None:
    receiver.refuse = 0
    signed = settings_for(tmp_path, callback_hosts=frozenset({receiver.host}), callback_secret=Secret(SECRET))
    with serving(settings_for(tmp_path)) as served, served.client() as client:  # without a secret it tells nothing
        store = served.service.store
        task_id = client.post("/orders", json={"order": ORDER, "files": FILES}).json()["task_id"]
        register_callback(store, task_id, f"http://{receiver.host}/hook")
        caller = Caller(store, SystemClock(), signed)
        complete(store, task_id, TaskStatus.FAILED)
        caller.tell()
        assert client.post(f"/tasks/{task_id}/retry").status_code == 202
        caller.tell()
        complete(store, task_id)
        caller.tell()
        caller.tell()
        caller.stop()
        assert store.count("callbacks", {"state": "done"}) == 1
    told = [json.loads(body) for _, body in receiver.taken]
    assert [one["stage"] for one in told] == [1, 2, 3, 4, None, 4, None]
    assert [one["status"] for one in told if one["stage"] is None] == ["failed", "completed"]
    assert len({headers["snipbench-event-id"] for headers, _ in receiver.taken}) == len(told)


def test_a_receiver_that_refuses_only_the_end_is_asked_more_and_more_rarely_and_given_up(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.refuse_end = True
    signed = settings_for(tmp_path, callback_hosts=frozenset({receiver.host}), callback_secret=Secret(SECRET))
    clock, attempts = SetClock(), list[float]()
    with serving(settings_for(tmp_path)) as served, served.client() as client:  # without a secret it tells nothing
        store = served.service.store
        task_id = client.post("/orders", json={"order": ORDER, "files": FILES}).json()["task_id"]
        register_callback(store, task_id, f"http://{receiver.host}/hook")
        complete(store, task_id)
        caller = Caller(store, clock, signed)
        for second in range(1800):
            clock.seconds = float(second)
            caller.tell()
            attempts += [clock.seconds] * (receiver.ends_refused - len(attempts))
        caller.stop()
        assert store.count("callbacks", {"state": "given_up"}) == 1
    assert [json.loads(body)["stage"] for _, body in receiver.taken] == [1, 2, 3, 4]
    assert len(attempts) == GIVE_UP_AFTER
    gaps = [later - earlier for earlier, later in pairwise(attempts)]
    assert gaps == [1, 2, 4, 8, 16, 32] + [60] * 13

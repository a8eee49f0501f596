"""What every dispatch must do, whatever carries the bells."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import tasks, wiring
from orchestrator.dispatch.inline import InlineDispatch
from orchestrator.dispatch.port import Dispatch, Work
from orchestrator.dispatch.queue import QueueDispatch
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.settings import ServiceSettings
from snipbench.clock import SystemClock
from snipbench.store.sqlite import SqliteStore
from tests.e2e.conftest import command_line, environment
from tests.orders import ONE_SUM
from tests.servers.redis_server import redis_server

pytestmark = pytest.mark.spark  # the jars of a session are looked for before any task is led


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite")
    yield store
    store.close()


@pytest.fixture(params=["inline", pytest.param("queue", marks=pytest.mark.redis)])
def dispatch(request: pytest.FixtureRequest, store: SqliteStore, tmp_path: Path) -> Iterator[Dispatch]:
    """A dispatch with somebody behind it who does the work."""
    if request.param == "inline":
        worker = wiring.worker(ServiceSettings(tmp_path, str(store.path)))
        inline = InlineDispatch(worker.handle, worker.stop)
        yield inline
        inline.close()
        return
    with redis_server(tmp_path) as broker, (tmp_path / "log").open("w") as log:
        served = subprocess.Popen(
            command_line("serve", "leader", "--home", tmp_path),
            env={**environment(), "SNIPBENCH_BROKER": broker, "SNIPBENCH_READY_FILE": str(tmp_path / "ready")},
            stderr=log,
        )
        queue = QueueDispatch(broker)
        yield queue
        queue.close()
        assert (tmp_path / "ready").exists(), "it has reached its broker, and says so"
        served.terminate()
        assert served.wait(60) == 0


def cancelled_task(store: SqliteStore) -> str:
    """A task whose leader has nothing to do but to end it, so that no database is needed."""
    clock = SystemClock()
    task_id = take_in(store, clock, inlined(ONE_SUM), {}, new_ids(clock)).task_id
    tasks.cancel(store, clock, task_id)
    return task_id


def until_settled(store: SqliteStore, task_id: str) -> None:
    deadline = time.monotonic() + 60
    while not (store.get("tasks", task_id) or {})["settled"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_rung_for_is_done_once_whatever_else_is_rung_for(store: SqliteStore, dispatch: Dispatch) -> None:
    first, second = cancelled_task(store), cancelled_task(store)
    dispatch.ready()
    for subject in (first, first, "no-such-task", second):
        dispatch.ring(Work.LEAD, subject)
    for task_id in (first, second):
        until_settled(store, task_id)
    dispatch.ring(Work.LEAD, first)
    third = cancelled_task(store)
    dispatch.ring(Work.LEAD, third)
    until_settled(store, third)
    for task_id in (first, second, third):
        events = [event["name"] for event in store.find("events", {"task_id": task_id})]
        assert events.count("task cancelled") == 1
        assert (store.get("tasks", task_id) or {})["status"] == "cancelled"

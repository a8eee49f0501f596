"""Dispatch through a real Redis and in process: doorbells that come, come twice, or find nobody."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from orchestrator import tasks
from orchestrator.dispatch.inline import InlineDispatch
from orchestrator.dispatch.port import Work
from orchestrator.dispatch.queue import QueueDispatch
from orchestrator.intake import inlined, new_ids, take_in
from snipbench.clock import SystemClock
from snipbench.errors import DispatchAway
from snipbench.store.sqlite import SqliteStore
from tests.e2e.conftest import command_line, environment
from tests.servers.redis_server import redis_server

ORDER = """\
name: unled
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: sums
    database: shop
    tables: [lineitem]
    snippets: [{name: total, kind: sql, code: select sum(l_quantity) as total from lineitem}]
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as address:
        yield address


def cancelled_task(store: SqliteStore) -> str:
    """A task whose leader has nothing to do but to end it, so that no database is needed."""
    clock = SystemClock()
    task_id = take_in(store, clock, inlined(ORDER), {}, new_ids(clock)).task_id
    tasks.cancel(store, task_id)
    return task_id


@pytest.mark.redis
@pytest.mark.spark
def test_a_worker_takes_what_was_rung_for_before_and_after_it_came(broker: str, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.sqlite")
    first, second = cancelled_task(store), cancelled_task(store)
    dispatch = QueueDispatch(broker)
    dispatch.ready()
    for subject in (first, first, "no-such-task"):
        dispatch.ring(Work.LEAD, subject)
    queued = redis.Redis.from_url(broker)
    body = json.loads(queued.lrange("leader", 0, 0)[0])
    assert body["content-type"] == "application/json"
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(
            command_line("serve", "leader", "--home", tmp_path),
            env={**environment(), "SNIPBENCH_BROKER": broker},
            stderr=log,
        )
        try:
            for task_id in (first, second):
                dispatch.ring(Work.LEAD, task_id)
                deadline = time.monotonic() + 60
                while not (store.get("tasks", task_id) or {})["settled"]:
                    assert worker.poll() is None, (tmp_path / "log").read_text()
                    assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                    time.sleep(0.05)
                assert (store.get("tasks", task_id) or {})["status"] == "cancelled"
        finally:
            worker.terminate()
            assert worker.wait(30) == 0
    assert [event["name"] for event in store.find("events", {"task_id": first})].count("task cancelled") == 1
    assert queued.llen("leader") == 0
    dispatch.close()
    store.close()


@pytest.mark.redis
def test_a_broker_that_is_away_is_told_soon_and_without_its_password(tmp_path: Path) -> None:
    with redis_server(tmp_path) as address:
        pass
    dispatch = QueueDispatch(address.replace("redis://", "redis://:canary-password@"))
    for call in (dispatch.ready, lambda: dispatch.ring(Work.LEAD, "x")):
        with pytest.raises(DispatchAway) as told:
            call()
        assert "canary-password" not in f"{told.value!r}{told.value.__cause__!r}"
    dispatch.close()


def test_in_process_one_thing_is_done_after_the_other_and_a_bell_counts_once() -> None:
    done: list[str] = []
    go = threading.Event()

    def handle(work: Work, subject: str) -> None:
        go.wait(10)
        done.append(subject)

    dispatch = InlineDispatch(handle, go.set)
    for subject in ("a", "b", "b", "a", "c"):
        dispatch.ring(Work.LEAD, subject)
    go.set()
    deadline = time.monotonic() + 10
    while len(done) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    dispatch.close()
    dispatch.ring(Work.LEAD, "d")
    assert done == ["a", "b", "c"]


def test_the_api_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    served = subprocess.Popen(
        command_line("serve", "--home", tmp_path, "--port", 0), env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert served.stdout is not None
    assert "http://127.0.0.1:" in served.stdout.readline()
    served.terminate()
    assert served.wait(30) == 0
    served.stdout.close()


def test_the_command_line_s_help_loads_no_broker() -> None:
    code = (
        "import sys; import orchestrator.cli.serve, orchestrator.cli.remote; "
        "print([name for name in ('celery', 'fastapi', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

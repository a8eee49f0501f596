"""Dispatch through a real Redis and in process: doorbells that come, come twice, or find nobody."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

from orchestrator.dispatch.inline import InlineDispatch
from orchestrator.dispatch.port import Work
from orchestrator.dispatch.queue import QueueDispatch
from snipbench.errors import DispatchAway
from tests.e2e.conftest import command_line, environment
from tests.servers.redis_server import redis_server


@pytest.mark.redis
def test_a_message_is_json_with_an_id_and_waits_in_the_queue_of_its_kind(tmp_path: Path) -> None:
    with redis_server(tmp_path) as broker:
        dispatch = QueueDispatch(broker)
        dispatch.ring(Work.LEAD, "task-1")
        dispatch.ring(Work.ANALYSE, "analysis-1")
        queued = redis.Redis.from_url(broker)
        for queue, subject in (("leader", "task-1"), ("analyzer", "analysis-1")):
            (message,) = queued.lrange(queue, 0, -1)
            envelope = json.loads(message)
            assert envelope["content-type"] == "application/json"
            arguments, keywords, _ = json.loads(base64.b64decode(envelope["body"]))
            assert (arguments, keywords) == ([queue, subject], {})
        queued.close()
        dispatch.close()


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
        go.wait(60)
        done.append(subject)

    dispatch = InlineDispatch(handle, go.set)
    for subject in ("a", "b", "b", "a", "c"):
        dispatch.ring(Work.LEAD, subject)
    go.set()
    deadline = time.monotonic() + 60
    while len(done) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    dispatch.close()
    dispatch.ring(Work.LEAD, "d")
    assert done == ["a", "b", "c"]


def test_the_api_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    command = command_line("serve", "--home", tmp_path, "--port", 0)
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        assert "http://127.0.0.1:" in served.stdout.readline()
        served.terminate()
        assert served.wait(60) == 0


def test_the_command_line_s_help_loads_no_broker() -> None:
    code = (
        "import sys; import orchestrator.cli.serve, orchestrator.cli.remote; "
        "print([name for name in ('celery', 'fastapi', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

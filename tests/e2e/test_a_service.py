"""Services as processes: API, Redis, a worker. Orders go through the queue and survive what dies on the way."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from orchestrator.client import Client
from snipbench.store.opening import open_store
from snipbench.store.port import DocumentStore
from tests.servers.redis_server import redis_server

from .conftest import command_line, environment, json_of

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(1800)]

ORDER = """\
name: served
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 2}}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: slow
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 6
    snippets:
      - {name: sleeping, kind: function, file: snippets/sleeping.py}
      - {name: counting, kind: sql, variant_of: sleeping, code: select count(*) from orders}
"""
SLEEPING = "import time\n\n\ndef run():\n    time.sleep(0.4)\n    return 1\n"
ENDLESS = """\
name: endless
spark: {master: "local[2]"}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: endless
    database: shop
    tables: [orders]
    warmups: 0
    timeout: 600s
    snippets:
      - name: product
        kind: sql
        code: select count(*) from orders a cross join orders b cross join orders c where a.o_orderkey < c.o_custkey
"""


@contextmanager
def process(log: Path, *arguments: object, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours in the background; ended with SIGTERM, if it still runs."""
    with log.open("ab") as stream:
        started = subprocess.Popen(
            command_line(*arguments), env={**environment(), **variables}, stdout=stream, stderr=stream
        )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(60)


@contextmanager
def api(home: Path, directory: Path, **variables: str) -> Iterator[str]:
    """``snipbench serve`` on a free port; its address."""
    log = directory / "api.log"
    with process(log, "serve", "--home", home, "--port", 0, **variables) as served:
        deadline = time.monotonic() + 60
        while (found := re.search(r"http://\S+", log.read_text())) is None:
            assert served.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield found.group()


@pytest.fixture
def store(mongo_server: str) -> Iterator[tuple[str, DocumentStore]]:
    """A store of MongoDB's protocol: its address, and it."""
    import pymongo

    database = f"snipbench_test_{uuid.uuid4().hex[:12]}"
    opened = open_store(f"{mongo_server}/{database}")
    yield f"{mongo_server}/{database}", opened
    opened.close()
    with pymongo.MongoClient[dict[str, object]](mongo_server) as client:
        client.drop_database(database)


def until(what: Any, log: Path, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, log.read_text()[-5000:]
        time.sleep(0.05)


@pytest.mark.redis
@pytest.mark.mongo
def test_a_task_survives_its_worker_s_death_and_a_broker_that_forgets(
    home: Path, tmp_path: Path, store: tuple[str, DocumentStore]
) -> None:
    address, documents = store
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "sleeping.py").write_text(SLEEPING)
    (tmp_path / "served.yaml").write_text(ORDER)
    log = tmp_path / "worker.log"
    with redis_server(tmp_path) as broker, ExitStack() as stack:
        shared = {"SNIPBENCH_BROKER": broker, "SNIPBENCH_STORE": address}
        url = stack.enter_context(api(home, tmp_path, **shared))
        submitted = subprocess.Popen(
            command_line("submit", tmp_path / "served.yaml", "--api", url, "--wait", "--json"),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with Client(url) as client:
            until(lambda: client.get("/orders"), tmp_path / "api.log", 60)
            task_id = client.task_id("latest")
        # What was rung before anybody listened is forgotten; what stands in the store is not.
        redis.Redis.from_url(broker).flushall()
        with process(log, "serve", "leader", "--home", home, **shared) as first:
            until(lambda: documents.count("runs", {"task_id": task_id, "phase": "measured"}) >= 3, log)
            family = psutil.Process(first.pid).children(recursive=True)
            first.send_signal(signal.SIGKILL)
            first.wait()
        _, alive = psutil.wait_procs(family, timeout=5)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
        with process(log, "serve", "leader", "--home", home, **shared) as second:
            output, errors = submitted.communicate(timeout=300)
            assert submitted.returncode == 0, errors + log.read_text()[-5000:]
            with Client(url) as client:
                events = [data for _, data in client.events(task_id)]
                state = client.task(task_id)
                report = client.report(task_id)
            second.terminate()
            assert second.wait(30) == 0
    outcome = json.loads(output)
    assert outcome["status"] == state["status"] == "completed"
    assert "<html" in report
    assert state["runs_recorded"] == state["runs_planned"] == 2 * (1 + 6)
    stages = [event["stage"] for event in events if event.get("stage")]
    assert sorted(set(stages), key=stages.index) == list(range(1, 22))
    assert stages.count(4) == 2

    plan = documents.get("plans", task_id)
    runs = list(documents.find("runs", {"task_id": task_id}))
    assert plan is not None
    assert sorted(run["slot_id"] for run in runs) == sorted(slot["slot_id"] for slot in plan["slots"])
    by_block: dict[str, set[str]] = {}
    for run in runs:
        if run["block"] is not None:
            by_block.setdefault(run["block"], set()).add(run["session_id"])
    assert all(len(sessions) == 1 for sessions in by_block.values())
    assert len(set().union(*by_block.values())) == 2
    assert list((home / "databases" / "clones").iterdir()) == []
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert any(line.get("task_id") == task_id for line in lines)

    done = subprocess.run(
        command_line("plan", tmp_path / "served.yaml", "--home", home, "--json"),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert json_of(done)["plan_hash"] == outcome["plan_hash"]


def test_cancel_ends_a_long_query_within_two_seconds(home: Path, tmp_path: Path) -> None:
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    log = tmp_path / "api.log"
    with api(home, tmp_path) as url, Client(url) as client:
        submitted = subprocess.run(
            command_line("submit", tmp_path / "endless.yaml", "--api", url),
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        task_id = submitted.stdout.strip()
        until(lambda: client.task(task_id)["last_event"] in {"engine ready", "execution requested"}, log)
        time.sleep(1.0)
        family = psutil.Process().children(recursive=True)
        session = [one for one in family if "java" in one.name()]
        assert session
        subprocess.run(command_line("cancel", task_id, "--api", url), env=environment(), check=True)
        _, alive = psutil.wait_procs(session, timeout=2)
        assert alive == []
        assert [data["status"] for kind, data in client.events(task_id) if kind == "end"] == ["cancelled"]
        assert list((home / "databases" / "clones").iterdir()) == []


def test_a_public_address_without_tokens_and_a_taken_port_are_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        command_line("serve", "--host", "0.0.0.0", "--home", tmp_path),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "without tokens" in done.stderr

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
from tests.orders import ENDLESS
from tests.servers.redis_server import redis_server

from .conftest import command_line, environment, json_of, run_command

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


class Services:
    """Workers of each role as processes; whoever was killed can be started again."""

    def __init__(self, stack: ExitStack, home: Path, directory: Path, variables: dict[str, str]) -> None:
        self._stack = stack
        self._home = home
        self._variables = variables
        self.log = directory / "workers.log"
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *roles: str) -> None:
        for role in roles:
            started = process(self.log, "serve", role, "--home", self._home, **self._variables)
            self.running[role] = self._stack.enter_context(started)

    def kill(self, role: str) -> None:
        """SIGKILL; what it started must be gone as well."""
        killed = self.running[role]
        family = psutil.Process(killed.pid).children(recursive=True)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        _, alive = psutil.wait_procs(family, timeout=5)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []

    def session(self) -> list[psutil.Process]:
        """The executor's Spark session."""
        return [
            one for one in psutil.Process(self.running["executor"].pid).children(recursive=True) if "java" in one.name()
        ]


def submitted(order: Path, url: str) -> str:
    """The task of an order that was handed in."""
    arguments = command_line("submit", order, "--api", url)
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.redis
@pytest.mark.mongo
def test_five_services_make_what_one_command_makes_whichever_of_them_dies(
    home: Path, tmp_path: Path, store: tuple[str, DocumentStore]
) -> None:
    address, documents = store
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "sleeping.py").write_text(SLEEPING)
    (tmp_path / "served.yaml").write_text(ORDER)
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    with redis_server(tmp_path) as broker, ExitStack() as stack:
        shared = {"SNIPBENCH_BROKER": broker, "SNIPBENCH_STORE": address}
        url = stack.enter_context(api(home, tmp_path, **shared))
        client = stack.enter_context(Client(url))
        services = Services(stack, home, tmp_path, shared)
        waiting = subprocess.Popen(
            command_line("submit", tmp_path / "served.yaml", "--api", url, "--wait", "--json"),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: client.get("/orders"), tmp_path / "api.log", 60)
        task_id = client.task_id("latest")
        # What was rung before anybody listened is forgotten; what stands in the store is not.
        redis.Redis.from_url(broker).flushall()
        services.start("leader", "executor", "monitor", "analyzer")

        def measured(runs: int) -> None:
            """Wait until so many runs are recorded."""
            until(lambda: documents.count("runs", {"task_id": task_id, "phase": "measured"}) >= runs, services.log)

        measured(1)
        services.kill("monitor")
        services.start("monitor")
        measured(4)
        for one in services.session():
            one.kill()
        measured(7)
        services.kill("executor")
        redis.Redis.from_url(broker).flushall()
        services.start("executor")
        measured(10)
        services.kill("leader")
        services.start("leader")
        output, errors = waiting.communicate(timeout=300)
        assert waiting.returncode == 1, errors + services.log.read_text()[-5000:]
        events = [data for _, data in client.events(task_id)]
        state = client.task(task_id)
        report = client.report(task_id)

        cancelled = submitted(tmp_path / "endless.yaml", url)
        until(lambda: client.task(cancelled)["last_event"] in {"engine ready", "execution requested"}, services.log)
        time.sleep(1.0)
        session = services.session()
        assert session
        client.post(f"/tasks/{cancelled}/cancel")
        _, alive = psutil.wait_procs(session, timeout=2)
        assert alive == []
        until(lambda: client.task(cancelled)["status"] == "cancelled", services.log, 30)
        until(lambda: list((home / "databases" / "clones").iterdir()) == [], services.log, 30)
        for running in services.running.values():
            running.terminate()
        assert {role: running.wait(30) for role, running in services.running.items()} == dict.fromkeys(
            ("leader", "executor", "monitor", "analyzer"), 0
        )
    outcome = json.loads(output)
    # What a snippet's own session died of cannot be told: that one run is recorded as killed, as in embedded mode.
    assert outcome["status"] == state["status"] == "partly_failed"
    assert "<html" in report
    assert state["runs_recorded"] == state["runs_planned"] == 2 * (1 + 6)
    stages = [event["stage"] for event in events if event.get("stage")]
    assert sorted(set(stages), key=stages.index) == list(range(1, 22))
    assert stages.count(4) == 2
    names = [event["name"] for event in documents.find("events", {"task_id": task_id})]
    assert names.count("session lost") == 2
    assert "monitor: missing" in names

    plan = documents.get("plans", task_id)
    runs = list(documents.find("runs", {"task_id": task_id}))
    assert plan is not None
    assert sorted(run["slot_id"] for run in runs) == sorted(slot["slot_id"] for slot in plan["slots"])
    assert sorted(run["status"] for run in runs) == ["killed", *["ok"] * 13]
    by_block: dict[str, set[str]] = {}
    for run in runs:
        if run["block"] is not None and run["status"] == "ok":
            by_block.setdefault(run["block"], set()).add(run["session_id"])
    assert all(len(sessions) == 1 for sessions in by_block.values())
    assert len(set().union(*by_block.values())) >= 2
    lines = [json.loads(line) for line in services.log.read_text().splitlines() if line.startswith("{")]
    assert any(line.get("task_id") == task_id for line in lines)

    alone = run_command("run", tmp_path / "served.yaml", "--home", home, "--warmups", 0, "--repetitions", 1, "--json")
    planned = run_command("plan", tmp_path / "served.yaml", "--home", home, "--json")
    assert json_of(planned)["plan_hash"] == outcome["plan_hash"]
    assert hashes(json_of(alone)) == hashes(outcome)


def hashes(outcome: dict[str, Any]) -> dict[str, str]:
    """Result hashes by snippet."""
    return {
        snippet["name"]: snippet["result_hash"]
        for experiment in outcome["experiments"]
        for snippet in experiment["snippets"]
    }


def test_cancel_ends_a_long_query_within_two_seconds(home: Path, tmp_path: Path) -> None:
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    log = tmp_path / "api.log"
    with api(home, tmp_path) as url, Client(url) as client:
        task_id = submitted(tmp_path / "endless.yaml", url)
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

"""Services as processes: API, Redis, a worker. Orders go through the queue and survive what dies on the way."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from orchestrator.api.tokens import new_token
from orchestrator.client import Client
from snipbench import records
from snipbench.lake import reader
from snipbench.store.opening import open_store
from snipbench.store.port import DocumentStore
from tests.servers.gitlab_server import GitLab, gitlab_server
from tests.servers.openai_server import fails, serving
from tests.servers.redis_server import redis_server

from .canaries import (
    ArgumentWatch,
    canary,
    texts_of_broker,
    texts_of_exports,
    texts_of_files,
    texts_of_lake,
    texts_of_store,
)
from .conftest import command_line, environment, json_of, run_command
from .services import Services, until
from .serving import api

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(1800)]

ORDER = """\
name: served
profile: true
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 2, spark.sql.codegen.wholeStage: false}}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: slow
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 9
    snippets:
      - {name: sleeping, kind: function, file: snippets/sleeping.py}
      - {name: counting, kind: sql, variant_of: sleeping, code: select count(*) from orders}
  - name: stepping
    database: shop
    warmups: 0
    repetitions: 1
    snippets:
      - name: steps
        kind: function
        code: |
          def step(number):
              return number

          def run():
              return sum(map(step, range(9)))
"""
SLEEPING = """\
import os
import time


def run():
    print([value for value in os.environ.values() if value.startswith("canary")])
    time.sleep(0.4)
    return 1
"""
"""What it prints is kept with its runs, but no secret that its session inherited."""
ADVICE = """\
analyses:
  - {name: improve, kind: optimize, worst: 1, advisor: llm, budget: {tokens: 20000}}
  - {name: by-wall, kind: classify, target: wall_seconds}
"""


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


@dataclass(frozen=True)
class Credentials:
    """A canary in every credential that services are given, and the variables that give them."""

    canaries: dict[str, str]
    variables: dict[str, str]

    @classmethod
    def make(cls, folder: Path, store: str, gitlab: GitLab, llm: str) -> Credentials:
        token, entry = new_token("ci")
        (folder / "tokens.json").write_text(json.dumps({"tokens": [entry]}))
        names = ("broker", "store", "callback", "initializer", "llm", "object-store", "own")
        canaries = {name: canary(name) for name in names} | {"api": token, "gitlab": gitlab.token}
        for name in ("gitlab", "initializer"):
            (folder / name).write_text(canaries[name])
        host = store.removeprefix("mongodb://")
        return cls(
            canaries,
            {
                "SNIPBENCH_STORE": f"mongodb://snipbench:{canaries['store']}@{host}?authMechanism=PLAIN",
                "SNIPBENCH_API_TOKENS_FILE": str(folder / "tokens.json"),
                "SNIPBENCH_GITLAB_URL": gitlab.url,
                "SNIPBENCH_GITLAB_TOKEN_FILE": str(folder / "gitlab"),
                "SNIPBENCH_CALLBACK_SECRET": canaries["callback"],
                "SNIPBENCH_CALLBACK_HOSTS": gitlab.host,
                "SNIPBENCH_INITIALIZER_TOKEN_FILE": str(folder / "initializer"),
                "OPENAI_API_KEY": canaries["llm"],
                "OPENAI_BASE_URL": llm,
                "SNIPBENCH_ADVISOR_MODEL": "m",
                "AWS_SECRET_ACCESS_KEY": canaries["object-store"],
                "MY_OWN_PASSWORD": canaries["own"],
            },
        )

    @property
    def token(self) -> str:
        """Of the API."""
        return self.canaries["api"]


@pytest.mark.redis
@pytest.mark.mongo
def test_five_services_make_what_one_command_plans_whichever_of_them_dies(
    home: Path, tmp_path: Path, store: tuple[str, DocumentStore]
) -> None:
    address, documents = store
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "sleeping.py").write_text(SLEEPING)
    (tmp_path / "served.yaml").write_text(ORDER)
    with ExitStack() as stack:
        gitlab = stack.enter_context(gitlab_server(canary("gitlab")))
        gitlab.files = {"served.yaml": ORDER + ADVICE, "snippets/sleeping.py": SLEEPING}
        llm = stack.enter_context(serving())
        held = Credentials.make(tmp_path, address, gitlab, llm.url)
        llm.behave(fails(401, f"Incorrect API key provided: {held.canaries['llm']}"))
        broker = stack.enter_context(redis_server(tmp_path, held.canaries["broker"]))
        shared = {**held.variables, "SNIPBENCH_BROKER": broker}
        seen = stack.enter_context(ArgumentWatch(home / "databases"))
        url = stack.enter_context(api(home, tmp_path, **shared))
        client = stack.enter_context(Client(url, held.token))
        services = Services(stack, home, tmp_path, shared)
        link = (f"gitlab:{gitlab.project}:served.yaml", "--ref", "main", "--callback", f"{gitlab.url}/told")
        waiting = subprocess.Popen(
            command_line("submit", *link, "--api", url, "--wait", "--json"),
            env=environment() | {"SNIPBENCH_TOKEN": held.token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: client.get("/orders"), tmp_path / "api.log")
        task_id = client.task_id("latest")
        # What was rung before anybody listened is forgotten; what stands in the store is not.
        redis.Redis.from_url(broker).flushall()
        services.start("leader", "executor", "monitor", "analyzer")
        until(lambda: documents.count("events", {"task_id": task_id, "stage": 4}), services.log)
        idle = services.another("leader")

        def measured(runs: int) -> None:
            """Wait until so many runs are recorded."""
            until(lambda: documents.count("runs", {"task_id": task_id, "phase": "measured"}) >= runs, services.log)

        measured(1)
        turned_away_before = turned_away(services.log)
        let_time_out(broker)
        services.kill("monitor")
        services.start("monitor")  # looks for such messages as soon as it is there, the others every 100 s
        until(lambda: documents.count("events", {"task_id": task_id, "name": "monitor: missing"}), services.log)
        measured(4)
        for one in services.session():
            one.kill()
        measured(8)
        until(lambda: turned_away(services.log) > turned_away_before, services.log)
        services.kill("executor")
        redis.Redis.from_url(broker).flushall()
        services.start("executor")
        measured(12)
        services.kill("leader")
        services.running["leader"] = idle
        output, errors = waiting.communicate(timeout=600)
        assert waiting.returncode == 1, errors + services.log.read_text()[-5000:]
        events = [data for _, data in client.events(task_id)]
        state = client.task(task_id)
        report = client.report(task_id)

        until(lambda: list((home / "databases" / "clones").iterdir()) == [], services.log, 60)
        shown = answers(url, held.token, task_id)
        queued = list(texts_of_broker(broker))
        for running in services.running.values():
            running.terminate()
        assert {role: running.wait(60) for role, running in services.running.items()} == dict.fromkeys(
            ("leader", "executor", "monitor", "analyzer"), 0
        )
    assert llm.keys == [f"Bearer {held.canaries['llm']}"]
    assert any("org.apache.spark" in one for one in seen.arguments)
    assert any("analyzer.landing" in one for one in seen.arguments)
    assert len(seen.passwords) >= 4
    (tmp_path / "exports").mkdir()
    exported = list(texts_of_exports(home / "lake", task_id, tmp_path / "exports"))
    assert [text.partition(":")[0] for text in exported][:1] == ["orders.csv"]
    (trained_on,) = home.rglob(f"{task_id}-by-wall.csv")
    assert "sleeping" in trained_on.read_text()
    kept = [*texts_of_store(documents), *texts_of_lake(home / "lake", task_id), *exported]
    assert any("['<redacted>', '<redacted>']" in text for text in kept)
    logged = [file.read_text() for file in tmp_path.glob("*.log")]
    files = texts_of_files(home, without="databases")
    everywhere = [*seen.arguments, *shown, *queued, *kept, *logged, *files, output, errors, report]
    for secret in (*held.canaries.values(), *seen.passwords):
        assert [text[:200] for text in everywhere if secret in text] == []
    outcome = json.loads(output)
    # What a snippet's own session died of cannot be told: that one run is recorded as killed, as in embedded mode.
    assert outcome["status"] == state["status"] == "partly_failed"
    assert "<html" in report
    assert state["runs_recorded"] == state["runs_planned"] == 2 * (1 + 9) + 1
    stages = [event["stage"] for event in events if event.get("stage")]
    assert sorted(set(stages), key=stages.index) == list(range(1, 22))
    assert stages.count(4) == 2
    names = [event["name"] for event in documents.find("events", {"task_id": task_id})]
    assert names.count("session lost") == 2

    plan = documents.get("plans", task_id)
    runs = list(documents.find("runs", {"task_id": task_id}))
    assert plan is not None
    assert sorted(run["slot_id"] for run in runs) == sorted(slot["slot_id"] for slot in plan["slots"])
    assert sorted(run["status"] for run in runs) == ["killed", *["ok"] * 20]
    profiles = map(records.profile_from_document, documents.find("profiles", {"task_id": task_id}))
    profiled = {profile.snippet: {cost.name: cost.calls for cost in profile.functions} for profile in profiles}
    assert profiled.keys() == {"sleeping", "steps"}
    assert profiled["steps"] == {"run": 1, "step": 9}
    calls = reader.query(home / "lake", f"select function_name from function_calls where task_id = '{task_id}'")
    assert calls.column(0).to_pylist().count("step") == 9
    by_block: dict[str, set[str]] = {}
    for run in runs:
        if run["block"] is not None and run["status"] == "ok":
            by_block.setdefault(run["block"], set()).add(run["session_id"])
    assert all(len(sessions) == 1 for sessions in by_block.values())
    assert len(set().union(*by_block.values())) >= 2
    lines = [json.loads(line) for line in services.log.read_text().splitlines() if line.startswith("{")]
    ours = [line for line in lines if line.get("task_id") == task_id]
    assert {line["order_id"] for line in ours if line.get("slot_id")} == {state["order_id"]}
    assert {line["work"] for line in ours} == {"leader", "executor", "monitor", "analyzer"}
    assert {run["slot_id"] for run in runs} <= {line.get("slot_id") for line in ours}

    planned = run_command("plan", tmp_path / "served.yaml", "--home", home, "--json")
    assert json_of(planned)["plan_hash"] == outcome["plan_hash"]
    assert None not in hashes(outcome).values()


def let_time_out(broker: str) -> None:
    """Make every message that is being worked on older than Redis's visibility time-out: it is delivered again."""
    messages = redis.Redis.from_url(broker)
    under_way = messages.zrange("unacked_index", 0, -1)
    assert under_way
    messages.zadd("unacked_index", dict.fromkeys(under_way, 0.0), xx=True)


def turned_away(log: Path) -> int:
    """How often a leader was told that its task is led already."""
    return sum('"leader"' in line and "left to others: " in line for line in log.read_text().splitlines())


def answers(url: str, token: str, *tasks: str) -> list[str]:
    """What the API says of tasks, and to whoever asks for what is not there or with a wrong token."""
    told = []
    with httpx.Client(
        base_url=url, trust_env=False, timeout=60, headers={"Authorization": f"Bearer {token}"}
    ) as client:
        for task in tasks:
            paths = (f"/tasks/{task}{part}" for part in ("", "/results", "/events", "/report", "/nothing"))
            told += [client.get(path).text for path in paths]
        order = client.get(f"/tasks/{tasks[0]}").json()["order_id"]
        told += [
            client.get(path).text for path in ("/orders", f"/orders/{order}", "/metrics", "/openapi.json", "/readyz")
        ]
        told.append(client.post("/orders", json={"order": "name: x", "token": "x"}).text)
        told.append(client.get("/orders", headers={"Authorization": f"Bearer {token}x"}).text)
    return told


def hashes(outcome: dict[str, Any]) -> dict[str, str]:
    """Result hashes by snippet."""
    return {
        snippet["name"]: snippet["result_hash"]
        for experiment in outcome["experiments"]
        for snippet in experiment["snippets"]
    }


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

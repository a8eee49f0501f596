"""The services as `make up` starts them from the real compose.yaml, images made here in the place of official ones."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client import Client
from orchestrator.initializer.orphans import INTERVAL_SECONDS
from tests.e2e.conftest import ROOT, command_line, environment, json_of
from tests.orders import ENDLESS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(2400)]

IMAGES = {
    "SNIPBENCH_IMAGE": "snipbench-test/snipbench:local",
    "SNIPBENCH_BASE_IMAGE": "snipbench-test/debian:12",
    "SNIPBENCH_REDIS_IMAGE": "snipbench-test/redis:7",
    "SNIPBENCH_MONGO_IMAGE": "snipbench-test/mongo:7",
    "SNIPBENCH_POSTGRES_IMAGE": "snipbench-test/postgres:15",
}
PREPARATION_SECONDS = 1500
SMALL = """\
name: small
seed: 7
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 2}}
monitor: {interval: 200ms}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: exchange
    database: shop
    tables: [lineitem]
    source: cached
    warmups: 1
    repetitions: 3
    parameters: {max_orderkey: [5000]}
    snippets:
      - name: row
        kind: python_udf
        input: select cast(l_quantity as double) as quantity from lineitem where l_orderkey <= :max_orderkey
        returns: double
        file: snippets/add_one.py
      - name: native
        kind: sql
        variant_of: row
        code: select cast(l_quantity as double) + 1 from lineitem where l_orderkey <= :max_orderkey
  - name: queries
    database: shop
    tables: [{name: lineitem, fetch_size: 5000}]
    warmups: 1
    repetitions: 3
    snippets:
      - {name: flags, kind: sql, code: "select l_returnflag, count(*) as lines from lineitem group by l_returnflag"}
"""
SERVED = {"database ready", "engine preparation requested", "engine connected", "engine ready", "execution requested"}
"""Events of a task that has its clone."""
ADD_ONE = "def run(quantity):\n    return quantity + 1.0\n"


@dataclass(frozen=True)
class Stack:
    """A started stack: its project's name, the API's address and token, the variables that it was started with."""

    project: str
    url: str
    token: str
    variables: dict[str, str]

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command_line(*arguments, "--api", self.url),
            env={**environment(), "SNIPBENCH_TOKEN": self.token},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def logs(self) -> str:
        return make_output([os.environ["SNIPBENCH_TEST_COMPOSE"], "logs", "--tail", "60"], self.variables)


def make_output(command: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done.stdout + done.stderr


def docker(*arguments: str) -> list[str]:
    """The lines that the engine's client prints."""
    return make_output(["docker", *arguments], {}).split()


def left_behind(stack: Stack) -> list[str]:
    """What the engine still has of a stack, whoever made it."""
    network = stack.variables["SNIPBENCH_DATABASES_NETWORK"]
    marks = (f"label=com.docker.compose.project={stack.project}", f"label=snipbench.network={network}")
    return [
        name
        for mark in marks
        for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        for name in docker(*kind, "--quiet", "--filter", mark)
    ]


@pytest.fixture(scope="module")
def prepared() -> None:
    """Wait for the images where they are made beside the tests; the file then holds how that ended."""
    told = os.environ.get("SNIPBENCH_TEST_STACK_PREPARED")
    end = time.monotonic() + PREPARATION_SECONDS
    while told and not Path(told).exists():
        assert time.monotonic() < end, "the images were not made in time"
        time.sleep(0.5)
    assert not told or Path(told).read_text() == "0\n", (Path(told).parent / "stack.log").read_text()[-6000:]


@pytest.fixture(scope="module")
def stack(prepared: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    project = f"snipbench-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = IMAGES | {
        "COMPOSE": os.environ["SNIPBENCH_TEST_COMPOSE"],
        "COMPOSE_PROJECT_NAME": project,
        "DOCKER_BUILDKIT": "0",
        "SNIPBENCH_BUILD_NETWORK": "host",
        "SNIPBENCH_DATABASES_NETWORK": f"{project}_databases",
        "SNIPBENCH_PORT": str(port),
        "SNIPBENCH_SECRETS": str(directory / "secrets"),
    }
    try:
        told = make_output(["make", "up"], variables)
        token = re.search(r"shown this once: (\S+)", told)
        assert token is not None, told
        assert f"http://127.0.0.1:{port}" in told
        yield Stack(project, f"http://127.0.0.1:{port}", token.group(1), variables)
    finally:
        make_output(["make", "down"], variables)


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("order") / "small.yaml"
    path.write_text(SMALL, "utf-8")
    (path.parent / "snippets").mkdir()
    (path.parent / "snippets" / "add_one.py").write_text(ADD_ONE, "utf-8")
    return path


@pytest.fixture(scope="module")
def embedded(order: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The same order on this machine, begun before the stack is started: what it computes must not differ."""
    home = tmp_path_factory.mktemp("embedded")
    with subprocess.Popen(
        command_line("run", order, "--home", home, "--json"),
        env={**environment(), "SNIPBENCH_MACHINE_LOCK": str(home / "lock")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


def hashes(outcome: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    """Result hash by experiment, snippet and parameters."""
    return {
        (experiment["name"], snippet["name"], json.dumps(snippet["parameters"])): snippet["result_hash"]
        for experiment in outcome["experiments"]
        for snippet in experiment["snippets"]
    }


def test_an_order_gives_the_same_plan_and_results_as_on_one_machine(
    embedded: subprocess.Popen[str], stack: Stack, order: Path
) -> None:
    done = stack.command("submit", order, "--wait", "--json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{stack.logs()}"
    served = json_of(done)
    output, errors = embedded.communicate(timeout=600)
    assert embedded.returncode == 0, errors
    alone = json.loads(output)
    assert served["status"] == alone["status"] == "completed"
    assert served["plan_hash"] == alone["plan_hash"]
    assert hashes(served) == hashes(alone)
    assert all(hashes(served).values())
    for experiment in served["experiments"]:
        for snippet in experiment["snippets"]:
            assert snippet["cpu_seconds"]["executor"]["median"] > 0, snippet
            if experiment["name"] == "queries":
                assert snippet["cpu_seconds"]["database"]["median"] > 0, snippet
    with Client(stack.url, stack.token) as client:
        events = [data for _, data in client.events(served["task_id"])]
        report = client.report(served["task_id"])
    assert "<html" in report
    stages = [event["stage"] for event in events if event.get("stage")]
    assert sorted(set(stages), key=stages.index) == list(range(1, 22))
    assert [event for event in events if event.get("status") == "failed"] == []
    watched = {event["text"] for event in events if event.get("stage") == 12}
    assert watched == {"process counters of executor, cgroup counters of database:shop"}
    ready = next(event for event in events if event.get("stage") == 8)
    assert ready["data"]["image"].startswith("snipbench-test/postgres:15 ")


def test_only_the_initializer_has_the_docker_socket_and_nobody_has_rights(stack: Stack) -> None:
    project = f"label=com.docker.compose.project={stack.project}"
    found = docker("ps", "--quiet", "--filter", project)
    containers = json.loads(make_output(["docker", "inspect", *found], {}))
    holders = set()
    for container in containers:
        name = container["Config"]["Labels"]["com.docker.compose.service"]
        host = container["HostConfig"]
        assert not host["Privileged"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["Memory"] > 0, name
        assert container["Config"]["User"].partition(":")[0] not in {"", "0", "root"}, name
        if any(mount["Destination"].endswith("docker.sock") for mount in container["Mounts"]):
            holders.add(name)
    assert len(containers) == 8
    assert holders == {"initializer"}


def test_a_clone_outlives_its_initializer_and_down_leaves_nothing_of_a_task_under_way(
    stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    submitted = stack.command("submit", tmp_path / "endless.yaml")
    assert submitted.returncode == 0, submitted.stderr
    clones = ("ps", "--quiet", "--filter", f"label=snipbench.network={stack.variables['SNIPBENCH_DATABASES_NETWORK']}")
    with Client(stack.url, stack.token) as client:
        deadline = time.monotonic() + 120
        while client.task(submitted.stdout.strip())["last_event"] not in SERVED:
            assert time.monotonic() < deadline, stack.logs()
            time.sleep(0.2)
    (clone,) = docker(*clones)
    docker("restart", f"{stack.project}-initializer-1")
    health = ("inspect", "--format", "{{.State.Health.Status}}", f"{stack.project}-initializer-1")
    while docker(*health) != ["healthy"]:
        assert time.monotonic() < deadline, stack.logs()
        time.sleep(0.2)
    time.sleep(2 * INTERVAL_SECONDS)  # it has looked for orphans
    assert docker(*clones) == [clone]
    make_output(["make", "down"], stack.variables)
    assert left_behind(stack) == []

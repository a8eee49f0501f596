"""The services as `make up` starts them from the real compose.yaml, images made here in the place of official ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.composed import QUICKSTART, Composed, called, composed, docker, hashes, stages
from monitor.events import EventKind
from orchestrator.initializer.orphans import INTERVAL_SECONDS
from tests.breath import STALLS
from tests.e2e.conftest import command_line, environment, json_of
from tests.orders import ENDLESS
from tests.servers.spark_cluster import QUICK
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(2400)]

PREPARATION_SECONDS = 1500
SERVED = {"database ready", "engine preparation requested", "engine connected", "engine ready", "execution requested"}
"""Events of a task that has its clone."""
ONCE = ("--warmups", 0, "--repetitions", 1)
"""Every run of the quickstart, once."""


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
def stack(prepared: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with composed(tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart but for its last analysis: a proof takes minutes; `make prove` makes one through the stack. Its
    sessions do without the second compiler, as those of all tests do: containers do not get it from tests/conftest.py.
    """
    path = tmp_path_factory.mktemp("order") / QUICKSTART.name
    shutil.copytree(QUICKSTART.parent / "snippets", path.parent / "snippets")
    kept, found, _ = QUICKSTART.read_text("utf-8").partition("  # Can a machine do better?")
    assert found
    settings = "    spark.sql.shuffle.partitions: 4\n"
    assert kept.count(settings) == 1
    path.write_text(kept.replace(settings, settings + f"    spark.driver.extraJavaOptions: {QUICK}\n"), "utf-8")
    return path


@pytest.fixture(scope="module")
def embedded(order: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The order on this machine, begun before the stack is started."""
    home = tmp_path_factory.mktemp("embedded")
    with subprocess.Popen(
        command_line("run", order, *ONCE, "--home", home, "--json"),
        env={**environment(), "SNIPBENCH_MACHINE_LOCK": str(home / "lock")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


def test_the_quickstart_gives_the_same_plan_and_results_as_on_one_machine(
    embedded: subprocess.Popen[str], stack: Composed, order: Path, tmp_path: Path
) -> None:
    done = stack.snipbench("submit", order, *ONCE, "--wait", "--json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{stack.logs()}"
    served = json_of(done)
    output, errors = embedded.communicate(timeout=600)
    assert embedded.returncode == 0, errors
    alone = json.loads(output)
    assert served["status"] == alone["status"] == "completed"
    assert served["plan_hash"] == alone["plan_hash"]
    assert hashes(served) == hashes(alone)
    for experiment in served["experiments"]:
        for snippet in experiment["snippets"]:
            assert snippet["result_hash"], snippet
            assert snippet["runs"] == 1, snippet
            assert snippet["equal_to_baseline"] in {None, True}, snippet
            assert snippet["cpu_seconds"]["executor"]["median"] > 0, snippet
            if experiment["name"] != "exchange":  # its rows are cached
                assert snippet["cpu_seconds"]["database"]["median"] > 0, snippet

    with stack.client() as client:
        events = [data for _, data in client.events(served["task_id"])]
    assert stages(events) == list(range(1, 22))
    stalls = {f"monitor: {kind}" for kind in (*STALLS, EventKind.SPOOL_BEGUN)}
    assert [event for event in events if event.get("status") == "failed" and event["name"] not in stalls] == []
    stopped = [event["data"] for event in events if event.get("stage") == 17]
    assert {(watch["dropped"], watch["lost"], watch["left"]) for watch in stopped} == {(0, 0, 0)}
    watched = {event["text"] for event in events if event.get("stage") == 12}
    assert watched == {"process counters of executor, cgroup counters of database:shop"}
    ready = next(event for event in events if event.get("stage") == 8)
    assert ready["data"]["image"].startswith("snipbench-test/postgres:15 ")

    fetched = stack.snipbench("report", served["task_id"], "--home", tmp_path)
    assert fetched.returncode == 0, fetched.stderr
    report = Path(fetched.stdout.strip()).read_text("utf-8")
    for experiment in served["experiments"]:
        assert experiment["name"] in report
        assert [snippet for snippet in experiment["snippets"] if snippet["name"] not in report] == []


def test_candidates_can_be_jailed_where_proofs_run(stack: Composed) -> None:
    trying = "from executor.jail import Jail; print(Jail.available())"
    assert docker("exec", f"{stack.project}-executor-1", "python", "-c", trying) == ["None"]
    (refused, *_) = docker("exec", f"{stack.project}-leader-1", "python", "-c", trying)
    assert refused != "None"


def test_only_the_initializer_has_the_docker_socket_and_nobody_has_rights(stack: Composed) -> None:
    containers = json.loads(called(["docker", "inspect", *stack.containers()], {}).stdout)
    holders, unmasked = set(), set()
    for container in containers:
        name = container["Config"]["Labels"]["com.docker.compose.service"]
        host = container["HostConfig"]
        assert not host["Privileged"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["Memory"] > 0, name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert "seccomp=unconfined" not in host["SecurityOpt"], name
        assert container["Config"]["User"].partition(":")[0] not in {"", "0", "root"}, name
        if any(mount["Destination"].endswith("docker.sock") for mount in container["Mounts"]):
            holders.add(name)
        if not host["MaskedPaths"] or len(host["SecurityOpt"]) > 1:
            unmasked.add(name)
    assert len(containers) == 8
    assert holders == {"initializer"}
    assert unmasked == {"executor"}


def test_a_clone_outlives_its_initializer_and_down_leaves_nothing_of_a_task_under_way(
    stack: Composed, tmp_path: Path
) -> None:
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    submitted = stack.snipbench("submit", tmp_path / "endless.yaml")
    assert submitted.returncode == 0, submitted.stderr
    task_id = submitted.stdout.strip()
    with stack.client() as client:
        until(lambda: client.task(task_id)["last_event"] in SERVED, 300)
    (clone,) = stack.clones()
    initializer = f"{stack.project}-initializer-1"
    docker("restart", initializer)
    health = ("inspect", "--format", "{{.State.Health.Status}}", initializer)
    until(lambda: docker(*health) == ["healthy"], 300)
    time.sleep(2 * INTERVAL_SECONDS)  # it has looked for orphans
    assert stack.clones() == [clone]
    stack.down()
    assert stack.left() == []

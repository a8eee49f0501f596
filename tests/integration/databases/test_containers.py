"""What Docker containers do beyond the contract: template, overlays, refusals, orphans, deaths, their counters."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import docker
import psycopg
import pytest

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from orchestrator.databases.docker import labels
from orchestrator.databases.docker.engine import connect
from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.ownership import Owner
from orchestrator.databases.port import Prototype, ReferenceDatabase
from snipbench.domain.order import CloneChoice, Database, DataDirectory, Limits, Pgbench
from snipbench.errors import DatabaseError, MachineError
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.cgroup_path import UNIFIED, hierarchies
from snipbench.resources.docker_stream import DockerStreamSource
from snipbench.resources.port import CounterSource, Target, TargetGone
from snipbench.store.sqlite import SqliteStore

from .conftest import SMALL, count, eventually

pytestmark = [pytest.mark.docker, pytest.mark.root]
ROOT = Path(__file__).parents[3]
OVERLAY = SMALL.model_copy(update={"clone": CloneChoice.OVERLAY})


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> DockerProvider:
    return DockerProvider(tmp_path_factory.mktemp("containers"))


@pytest.fixture(scope="module")
def built(containers: DockerProvider) -> Prototype:
    return containers.prepare(SMALL, Path())


@pytest.fixture
def cloned(containers: DockerProvider, built: Prototype) -> Iterator[Callable[..., ReferenceDatabase]]:
    """Makes clones that are released after the test."""
    made: list[ReferenceDatabase] = []

    def clone(database: Database = OVERLAY, tables: list[str] | None = None) -> ReferenceDatabase:
        made.append(containers.clone(built, database, owner="task-1", tables=tables))
        return made[-1]

    yield clone
    for one in made:
        containers.release(one.clone_id)


@pytest.fixture
def root(built: Prototype) -> Path:
    """Where the provider keeps everything."""
    return built.directory.parents[2]


def facts(clone: ReferenceDatabase) -> Any:
    return connect().api.inspect_container(clone.target.container_id)


def left_behind(root: Path) -> int:
    """Containers and volumes on the engine that belong to a home."""
    chosen, api = labels.selection(root), connect().api
    return len(api.containers(all=True, filters=chosen)) + len(api.volumes(filters=chosen)["Volumes"] or ())


# --- template and strategies ----------------------------------------------------------------------------------------


def test_a_container_has_its_limits_and_no_rights(cloned: Callable[..., ReferenceDatabase]) -> None:
    clone = cloned(OVERLAY.model_copy(update={"limits": Limits(cpus=1.5, memory=512 << 20)}))
    made = facts(clone)
    host, config = made["HostConfig"], made["Config"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (1_500_000_000, 512 << 20, 512 << 20)
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert host["PidsLimit"] == 512
    assert {port["HostIp"] for ports in host["PortBindings"].values() for port in ports} == {"127.0.0.1"}
    assert not config["User"].startswith("0")
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert made["Image"] in (clone.image or "")


def test_reading_an_overlay_copies_nothing_up_any_more(
    cloned: Callable[..., ReferenceDatabase], built: Prototype, containers: DockerProvider, root: Path
) -> None:
    clone = cloned(tables=["pgbench_accounts"])
    assert clone.strategy == "overlay"
    assert clone.touch_seconds is not None
    upper = root / "clones" / clone.clone_id / "upper"
    with psycopg.connect(**clone.admin.parameters) as session:
        row = session.execute("SELECT pg_relation_filepath('pgbench_accounts')").fetchone()
        assert row is not None
        copied = (upper / row[0]).stat()
        assert copied.st_size == (built.directory / row[0]).stat().st_size > 0
        assert count(clone.run) == 1000
        assert (upper / row[0]).stat().st_ino == copied.st_ino
        session.execute("DELETE FROM pgbench_accounts")
    assert list(containers.verify(built)) == []


def test_in_a_network_of_containers_nothing_is_published(built: Prototype, root: Path) -> None:
    network = connect().networks.create(f"snipbench-test-{os.getpid()}")
    inside = DockerProvider(root.parents[1], network=network.name)
    clone = inside.clone(built, OVERLAY, owner="task-1")
    try:
        assert count(clone.run) == 1000
        assert clone.run.port == 5432
        assert facts(clone)["HostConfig"]["PortBindings"] in (None, {})
    finally:
        inside.release(clone.clone_id)
        network.remove()


def test_a_released_clone_leaves_nothing(containers: DockerProvider, built: Prototype, root: Path) -> None:
    clone = containers.clone(built, OVERLAY, owner="task-1")
    assert left_behind(root) == 2
    with ThreadPoolExecutor(3) as pool:  # by whoever is first
        assert list(pool.map(containers.release, [clone.clone_id] * 3)) == [None] * 3
    assert left_behind(root) == 0
    assert list((root / "clones").iterdir()) == []


LIKE_THE_OFFICIAL_ONE = """
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
USER 12345
ENTRYPOINT ["/bin/false"]
CMD ["postgres"]
"""


def test_an_images_own_entrypoint_user_and_volume_do_not_matter(containers: DockerProvider, built: Prototype) -> None:
    engine, name = connect(), "snipbench-test/like-official:15"
    image = os.environ.get("SNIPBENCH_POSTGRES_IMAGE", "postgres:16")
    bare = engine.containers.create(image, "true")
    bare.commit("snipbench-test/like-official", "15", changes=LIKE_THE_OFFICIAL_ONE.strip().splitlines())
    bare.remove()
    volumes = len(engine.volumes.list())
    asked = OVERLAY.model_copy(update={"image": name})
    try:
        prototype = containers.prepare(asked, Path())
        assert prototype.prototype_key != built.prototype_key
        clone = containers.clone(prototype, asked, owner="task-1")
        assert count(clone.run) == 1000
        containers.release(clone.clone_id)
        containers.remove(prototype)
    finally:
        engine.images.remove(name)
    assert len(engine.volumes.list()) == volumes


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_prototype_that_is_being_served_is_not_cloned(
    containers: DockerProvider, built: Prototype, root: Path
) -> None:
    lock = built.directory / "postmaster.pid"
    lock.write_text("1\n")
    try:
        with pytest.raises(DatabaseError, match=r"it has a postmaster\.pid"):
            containers.clone(built, SMALL, owner="task-1")
    finally:
        lock.unlink()
    assert left_behind(root) == 0


def test_a_prototype_of_another_image_is_not_cloned(containers: DockerProvider, built: Prototype) -> None:
    with pytest.raises(DatabaseError, match="was not built with image"):
        containers.clone(replace(built, prototype_key="0" * 24), SMALL, owner="task-1")


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    containers: DockerProvider, built: Prototype, root: Path
) -> None:
    broken = OVERLAY.model_copy(update={"settings": {"shared_buffers": "900GB"}})
    with pytest.raises(DatabaseError, match=r"(?s)exit code 1.*could not map anonymous shared memory"):
        containers.clone(built, broken, owner="task-1")
    assert left_behind(root) == 0


def test_a_data_directory_that_was_not_shut_down_is_refused(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], root: Path, tmp_path: Path
) -> None:
    running = cloned(SMALL.model_copy(update={"clone": CloneChoice.COPY}))
    torn = tmp_path / "torn"
    shutil.copytree(
        root / "clones" / running.clone_id / "data",
        torn,
        ignore=shutil.ignore_patterns("postmaster.pid", "pg_dynshmem"),
    )
    (torn / "pg_dynshmem").mkdir()
    asked = Database(name="torn", dataset=DataDirectory(data_directory=str(torn)))
    with pytest.raises(DatabaseError, match="was not shut down cleanly"):
        containers.prepare(asked, Path())
    assert list((root / "building").iterdir()) == []


def test_two_who_want_the_same_prototype_get_one(containers: DockerProvider) -> None:
    asked = Database(name="both", dataset=Pgbench(generator="pgbench", scale=0.02))
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: containers.prepare(asked, Path()), range(2)))
    assert sorted(one.built for one in both) == [False, True]
    assert len({one.manifest_hash for one in both}) == 1


def test_an_image_that_cannot_be_had_is_told_by_its_name(containers: DockerProvider) -> None:
    nobody = "127.0.0.1:9/nobody/nothing:1"
    with pytest.raises(DatabaseError, match=f"image {nobody} cannot be had"):
        containers.prepare(SMALL.model_copy(update={"image": nobody}), Path())


@pytest.mark.mounts
def test_a_disk_that_fills_up_while_copying_leaves_nothing(
    containers: DockerProvider, built: Prototype, root: Path, mounted: Callable[..., None]
) -> None:
    mounted(root / "small", "-t", "tmpfs", "-o", "size=20m", "tmpfs")
    (root / "clones").rename(root / "kept")
    (root / "clones").symlink_to(root / "small")
    try:
        with pytest.raises(DatabaseError, match="No space left on device"):
            containers.clone(built, SMALL.model_copy(update={"clone": CloneChoice.COPY}), owner="task-1")
        assert list((root / "small").iterdir()) == []
    finally:
        (root / "clones").unlink()
        (root / "kept").rename(root / "clones")
    assert left_behind(root) == 0


def test_no_engine_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    connect.cache_clear()
    try:
        with pytest.raises(MachineError, match="start it"):
            connect()
    finally:
        connect.cache_clear()


# --- orphans --------------------------------------------------------------------------------------------------------

OWNER = """
import os, sys
from pathlib import Path
from orchestrator.databases.docker.provider import DockerProvider
from snipbench.domain.order import CloneChoice, Database, Pgbench
database = Database(name="small", dataset=Pgbench(generator="pgbench", scale=0.01), clone=CloneChoice.OVERLAY)
provider = DockerProvider(Path(sys.argv[1]))
prototype = provider.prepare(database, Path())
print(provider.clone(prototype, database, owner="task-doomed").clone_id, prototype.built, flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_owner_left_is_reaped_and_what_lives_is_not(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], root: Path
) -> None:
    living = cloned()
    doomed = subprocess.run(
        [sys.executable, "-c", OWNER, str(root.parents[1])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    clone_id, newly_built = doomed.stdout.split()
    assert newly_built == "False"
    assert left_behind(root) == 4
    assert containers.reap() == [clone_id]
    assert left_behind(root) == 2
    assert count(living.run) == 1000


def test_a_clone_that_was_taken_over_goes_on_though_its_maker_is_dead(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = cloned()
    containers.take_over()
    # The number of a process namespace is given to another one: the maker's label names a process that is not there.
    monkeypatch.setattr("orchestrator.databases.docker.servers.orphaned", lambda found: True)
    assert clone.clone_id not in containers.reap()
    assert count(clone.run) == 1000


def test_what_the_kernel_leaves_of_an_overlay_goes_without_being_root(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = cloned()
    workspace = root / "clones" / clone.clone_id
    # A file of the lower layer that is removed leaves its mark in the kernel's directory, which is root's.
    connect().containers.get(clone.target.container_id).exec_run(["rm", "/snipbench/data/PG_VERSION"])
    assert list((workspace / "work" / "work").iterdir()) != []
    monkeypatch.setattr("os.geteuid", lambda: 10001)
    containers._servers.stop(workspace)
    assert list((workspace / "work").iterdir()) == []


def test_containers_of_a_home_that_is_gone_are_reaped(containers: DockerProvider, tmp_path: Path) -> None:
    engine = connect()
    dead = asdict(Owner.this_process("clone-lost")) | {"pid": 2**22 + 1}
    marks = {labels.ROOT: str(tmp_path / "gone"), labels.WORKSPACE: "clone-lost", labels.OWNER: json.dumps(dead)}
    image = os.environ.get("SNIPBENCH_POSTGRES_IMAGE", "postgres:16")
    lost = engine.containers.create(image, ["600"], entrypoint=["sleep"], labels=marks)
    assert "clone-lost" in containers.reap()
    with pytest.raises(docker.errors.NotFound):
        engine.api.inspect_container(lost.id)


# --- counters and deaths --------------------------------------------------------------------------------------------


def kernels_cpu_seconds(clone: ReferenceDatabase) -> float:
    assert clone.target.cgroup is not None
    inside = clone.target.cgroup.lstrip("/")
    if "cpuacct" in hierarchies():
        return int((hierarchies()["cpuacct"] / inside / "cpuacct.usage").read_text()) / 1e9
    return int((hierarchies()[UNIFIED] / inside / "cpu.stat").read_text().split()[1]) / 1e6


def test_a_burst_of_200_ms_is_bracketed_within_5_percent(cloned: Callable[..., ReferenceDatabase]) -> None:
    clone, source = cloned(), CgroupSource()
    burn = (
        "DO $$ DECLARE stop timestamptz := clock_timestamp() + interval '200 ms'; "
        "BEGIN WHILE clock_timestamp() < stop LOOP PERFORM sum(i) FROM generate_series(1, 1000) i; END LOOP; END $$"
    )
    with psycopg.connect(**clone.admin.parameters, autocommit=True) as session:
        session.execute("SELECT 1")
        for _ in range(3):
            earlier, before = kernels_cpu_seconds(clone), source.read(clone.target)
            session.execute(burn.encode())
            after, later = source.read(clone.target), kernels_cpu_seconds(clone)
            assert before.cpu_seconds is not None
            assert after.cpu_seconds is not None
            assert after.cpu_seconds - before.cpu_seconds == pytest.approx(later - earlier, rel=0.05)
    assert after.memory_bytes is not None
    assert after.processes is not None
    assert after.processes > 3
    assert after.read_bytes is not None
    source.close()


def read_on(source: CounterSource, target: Target) -> None:
    while True:
        source.read(target)


@pytest.fixture(params=["cgroup", "docker"])
def source(request: pytest.FixtureRequest) -> Iterator[CounterSource]:
    source: CounterSource = CgroupSource() if request.param == "cgroup" else DockerStreamSource()
    yield source
    source.close()


def test_a_stopped_process_goes_on_being_told_and_a_killed_one_is_gone(
    cloned: Callable[..., ReferenceDatabase], source: CounterSource
) -> None:
    clone, api = cloned(), connect().api
    readings = [source.read(clone.target)]
    api.kill(clone.target.container_id, "SIGSTOP")
    readings += [source.read(clone.target) for _ in range(2)]
    api.kill(clone.target.container_id, "SIGCONT")
    assert all(reading.cpu_seconds and reading.memory_bytes for reading in readings)
    assert [reading.at for reading in readings] == sorted({reading.at for reading in readings})
    assert [reading.cpu_seconds for reading in readings] == sorted(reading.cpu_seconds or 0 for reading in readings)
    api.kill(clone.target.container_id, "SIGKILL")
    with pytest.raises(TargetGone, match="database:small"):
        read_on(source, clone.target)


def test_a_removed_container_is_gone(
    cloned: Callable[..., ReferenceDatabase], containers: DockerProvider, source: CounterSource
) -> None:
    clone = cloned()
    source.read(clone.target)
    removing = threading.Thread(target=containers.release, args=(clone.clone_id,))
    removing.start()
    with pytest.raises(TargetGone, match="database:small"):
        read_on(source, clone.target)
    removing.join()


class Relay:
    """A socket between a client and the engine that can be held up, as if the engine's daemon was stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.flowing = threading.Event()
        self.flowing.set()
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as engine:
                    engine.connect("/var/run/docker.sock")
                    answers = threading.Thread(target=relay.pump, args=(engine, self.request), daemon=True)
                    answers.start()
                    relay.pump(self.request, engine)

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(1 << 16):
                self.flowing.wait()
                sink.sendall(block)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_stopped_engine_is_an_event_and_its_return_another(
    cloned: Callable[..., ReferenceDatabase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, relay = cloned(), Relay(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{relay.path}")
    told: queue.SimpleQueue[EventKind] = queue.SimpleQueue()
    store, source = SqliteStore(tmp_path / "store.sqlite"), DockerStreamSource()
    monitor = Monitor(
        store,
        source,
        [clone.target],
        StreamId("task-1", "burn", "stream-1"),
        on_event=lambda kind, target, message, at: told.put(kind),
    )
    monitor.start()
    assert eventually(lambda: store.count("samples") > 0, 20)
    relay.flowing.clear()
    assert told.get(timeout=20) is EventKind.SOURCE_STALLED
    relay.flowing.set()
    assert told.get(timeout=20) is EventKind.SOURCE_RESUMED
    summary = monitor.stop()
    source.close()
    relay.close()
    samples = list(store.find("samples"))
    store.close()
    assert summary.ended == {}
    assert all(sample["cpu_seconds"] and sample["memory_bytes"] for sample in samples)
    assert len({sample["at"] for sample in samples}) == len(samples)


def test_a_restarted_container_is_told_and_no_difference_spans_the_restart(
    cloned: Callable[..., ReferenceDatabase], source: CounterSource, tmp_path: Path
) -> None:
    clone, api = cloned(), connect().api
    told: queue.SimpleQueue[EventKind] = queue.SimpleQueue()
    store = SqliteStore(tmp_path / "store.sqlite")
    monitor = Monitor(
        store,
        source,
        [clone.target],
        StreamId("task-1", "burn", "stream-1"),
        on_event=lambda kind, target, message, at: told.put(kind),
        settings=MonitorSettings(interval_seconds=0.1, batch_age_seconds=0.1),
    )
    monitor.start()
    assert eventually(lambda: store.count("samples") > 1, 20)
    api.kill(clone.target.container_id, "SIGKILL")
    api.start(clone.target.container_id)
    while (kind := told.get(timeout=20)) in {EventKind.SOURCE_STALLED, EventKind.SOURCE_RESUMED}:
        continue
    monitor.stop()
    assert kind in {EventKind.TARGET_GONE, EventKind.COUNTERS_RESTARTED}
    streams: dict[str, list[float]] = {}
    for sample in store.find("samples", order_by=("sequence",)):
        streams.setdefault(sample["stream_id"], []).append(sample["cpu_seconds"])
    store.close()
    assert all(used == sorted(used) and used[0] > 0 for used in streams.values())

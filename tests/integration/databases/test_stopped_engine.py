"""A real Docker daemon that is stopped while it streams: a private one, in a network of its own."""

from __future__ import annotations

import io
import queue
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from snipbench.clock import SystemClock, from_text
from snipbench.resources.docker_stream import DockerStreamSource
from snipbench.resources.port import Target
from snipbench.store.sqlite import SqliteStore
from tests.breath import Breath

from .conftest import eventually

pytestmark = [pytest.mark.docker, pytest.mark.root, pytest.mark.alone]

BURNING = "while :; do :; done"
PROGRAMS = ("/bin", "/lib", "/lib64", "/usr")
"""The host's, so that the container's image can be empty."""


class Engine:
    """A daemon with everything below ``folder``. It can touch no bridge of another one: it sees no network."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "socket"
        (folder / "daemon.json").write_text("{}")
        options = {
            "--data-root": folder / "data",
            "--exec-root": folder / "exec",
            "--pidfile": folder / "pid",
            "--config-file": folder / "daemon.json",
            "--host": f"unix://{self.socket}",
            "--bridge": "none",
            "--storage-driver": "vfs",
            "--containerd-namespace": "stopped",
        }
        given = [str(word) for option in options.items() for word in option]
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            ["unshare", "--net", "dockerd", "--iptables=false", *given], stdout=self._log, stderr=self._log
        )

    def client(self) -> Any:
        import docker

        assert eventually(self.socket.exists, 60)
        client = docker.DockerClient(base_url=f"unix://{self.socket}", timeout=30)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except docker.errors.APIError:
                return False

        assert eventually(answers, 60)
        return client

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(60)
        self._log.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with TemporaryDirectory(prefix="engine-") as folder, ExitStack() as stack:  # a socket's path must be short
        engine = Engine(Path(folder))
        stack.callback(engine.end)
        yield engine


def burning(client: Any) -> str:
    """A container that uses a processor all the time; its id."""
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    image = client.api.import_image_from_data(empty.getvalue(), repository="empty")
    assert image
    volumes = {path: {"bind": path, "mode": "ro"} for path in PROGRAMS if Path(path).exists()}
    made = client.containers.run(
        "empty", ["/bin/sh", "-c", BURNING], volumes=volumes, network_mode="none", nano_cpus=100_000_000, detach=True
    )
    return str(made.id)


class Watch:
    """A monitor of the container at an interval, and what it told."""

    def __init__(self, store: SqliteStore, container: str, seconds: float) -> None:
        self._told: queue.SimpleQueue[tuple[EventKind, str]] = queue.SimpleQueue()
        self._source = DockerStreamSource()
        self._monitor = Monitor(
            store,
            self._source,
            [Target("database:burning", container_id=container)],
            StreamId("task-1", "burn", f"every-{seconds:.0f}"),
            on_event=lambda kind, target, message, at: self._told.put((kind, at)),
            settings=MonitorSettings(interval_seconds=seconds),
        )
        self._monitor.start()

    def told(self, expected: EventKind) -> datetime:
        """When the next event, which is of that kind, was told; the store's disk may be out of breath."""
        kind, at = self._told.get(timeout=60)
        while kind in {EventKind.STORE_STALLED, EventKind.STORE_RESUMED}:
            kind, at = self._told.get(timeout=60)
        assert kind is expected
        return from_text(at)

    def end(self) -> None:
        """What was watched has not ended."""
        summary = self._monitor.stop()
        self._source.close()
        assert summary.ended == {}


def test_a_stopped_daemon_is_told_and_nothing_is_made_up_for_the_time_without_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = engine.client()
    container = burning(client)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    store = SqliteStore(tmp_path / "store.sqlite")
    watches = [Watch(store, container, seconds) for seconds in (1.0, 60.0)]
    try:
        assert eventually(lambda: store.count("samples", {"stream_id": "every-1"}) > 1, 60)
        assert eventually(lambda: store.count("samples", {"stream_id": "every-60"}) == 1, 60)
        with Breath() as breath:
            stopped = SystemClock().now()
            engine.process.send_signal(signal.SIGSTOP)
            told = [watch.told(EventKind.SOURCE_STALLED) for watch in watches]
        assert (max(told) - stopped).total_seconds() - breath.missed < 2
        engine.process.send_signal(signal.SIGCONT)
        for watch in watches:
            watch.told(EventKind.SOURCE_RESUMED)
    finally:
        engine.process.send_signal(signal.SIGCONT)
        for watch in watches:
            watch.end()
        client.containers.get(container).remove(force=True)
        client.close()
    for stream in ("every-1", "every-60"):
        samples = list(store.find("samples", {"stream_id": stream}, order_by=("sequence",)))
        assert all(sample["cpu_seconds"] and sample["memory_bytes"] for sample in samples)
        used = [sample["cpu_seconds"] for sample in samples]
        assert used == sorted(set(used)), "the counters went on while nobody looked"
        instants = [sample["at"] for sample in samples]
        assert instants == sorted(set(instants))
    store.close()

"""The initializer's window on the engine: statistics of the databases' containers, by GET, and nothing else."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from orchestrator.api.serving import listening
from orchestrator.databases.docker.engine import connect
from orchestrator.initializer import statistics
from snipbench.resources.docker_stream import DockerStreamSource
from snipbench.resources.port import Target, TargetGone

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    made = connect().networks.create(f"snipbench-test-{uuid.uuid4().hex[:8]}", internal=True)
    yield str(made.name)
    made.remove()


@pytest.fixture(scope="module")
def window(network: str) -> Iterator[str]:
    app = FastAPI()
    statistics.install(app, connect(), network)
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def burning(**options: Any) -> Any:
    image = os.environ.get("SNIPBENCH_POSTGRES_IMAGE", "postgres:16")
    command = ["-c", "while :; do :; done"]
    return connect().containers.run(image, command, entrypoint=["/bin/sh"], detach=True, nano_cpus=10**8, **options)


@pytest.fixture(scope="module")
def container(network: str) -> Iterator[Any]:
    made = burning(network=network)
    yield made
    made.remove(force=True)


def test_the_stream_of_a_container_comes_through(window: str, container: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{window}")
    source = DockerStreamSource()
    try:
        first, second = (source.read(Target("database:shop", container_id=container.id)) for _ in range(2))
        assert first.cpu_seconds is not None
        assert second.cpu_seconds is not None
        assert second.cpu_seconds > first.cpu_seconds
        assert second.memory_bytes is not None
    finally:
        source.close()


def test_a_container_of_another_network_is_not_there(window: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = burning(network_mode="none")
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{window}")
    source = DockerStreamSource()
    try:
        with pytest.raises(TargetGone):
            source.read(Target("other", container_id=other.id))
    finally:
        source.close()
        other.remove(force=True)


def test_nothing_is_changed_or_shown_beside_statistics(window: str, container: Any) -> None:
    place = f"http://{window}/v1.41/containers"
    for method, path in [
        ("POST", f"{place}/{container.id}/stop"),
        ("POST", f"{place}/create"),
        ("DELETE", f"{place}/{container.id}"),
        ("GET", f"{place}/json"),
        ("GET", f"{place}/..%2f..%2finfo/stats"),
        ("POST", f"{place}/{container.id}/stats"),
        ("GET", f"http://{window}/v1.41/images/json"),
    ]:
        assert httpx.request(method, path, timeout=10).status_code in {404, 405}, path
    shown = httpx.get(f"{place}/{container.id}/json", timeout=10).json()
    assert set(shown) == {"Id", "State"}
    assert set(shown["State"]) == {"Status", "Running", "StartedAt", "FinishedAt"}
    container.reload()
    assert container.status == "running"

"""One home with one small prototype for all tests of each provider, and file systems of their own for some."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.databases.docker import labels
from orchestrator.databases.docker.engine import connect
from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from snipbench.domain.order import CloneChoice, Database, Pgbench

SMALL = Database(name="small", dataset=Pgbench(generator="pgbench", scale=0.01))
OVERLAY = SMALL.model_copy(update={"clone": CloneChoice.OVERLAY})


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def provider(home: Path) -> EmbeddedProvider:
    return EmbeddedProvider(home)


@pytest.fixture(scope="session")
def prototype(provider: EmbeddedProvider) -> Prototype:
    return provider.prepare(SMALL, Path())


@pytest.fixture
def mounted() -> Iterator[Callable[..., None]]:
    """``mounted(point, *arguments)`` has ``mount`` make a file system there; all are gone after the test."""
    points: list[Path] = []

    def mount(point: Path, *arguments: object) -> None:
        point.mkdir()
        subprocess.run(["mount", *map(str, arguments), str(point)], check=True)
        points.append(point)

    yield mount
    for point in reversed(points):
        subprocess.run(["umount", str(point)], check=True)


@pytest.fixture(scope="session")
def containers(tmp_path_factory: pytest.TempPathFactory) -> DockerProvider:
    return DockerProvider(tmp_path_factory.mktemp("containers"))


@pytest.fixture(scope="session")
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


def left_behind(root: Path) -> int:
    """Containers and volumes on the engine that belong to a home."""
    chosen, api = labels.selection(root), connect().api
    return len(api.containers(all=True, filters=chosen)) + len(api.volumes(filters=chosen)["Volumes"] or ())


def count(connection: Connection) -> int:
    """How many accounts the database has."""
    with psycopg.connect(**connection.parameters) as session:
        row = session.execute("SELECT count(*) FROM pgbench_accounts").fetchone()
    assert row is not None
    return int(row[0])


def eventually(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether it came true within that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())

"""One home with one small prototype for all tests of embedded PostgreSQL, and file systems of their own for some."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import Connection, Prototype
from snipbench.domain.order import Database, Pgbench

SMALL = Database(name="small", dataset=Pgbench(generator="pgbench", scale=0.01))


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

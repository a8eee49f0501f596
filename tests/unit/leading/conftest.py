"""What the tests of leading share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading import leader as leading
from orchestrator.leading import monitored, stretch
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.progress import LoggedProgress
from orchestrator.leading.roles import HERE, at_workers
from orchestrator.proving.sandboxing import BwrapSandboxing
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.sqlite import SqliteStore
from tests.unit.leading.memory import CLOCK, ORDER, MemoryDatabases, MemoryEngine, World
from tests.unit.leading.worker_threads import Threads


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite")
    yield store
    store.close()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def parts(store: SqliteStore, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(stretch, "table_facts", lambda _: ())
    monkeypatch.setattr(leading, "analyse", lambda *_: None)
    return Parts(
        mode="services",
        home=Home(tmp_path),
        store=store,
        store_address=str(tmp_path / "store.sqlite"),
        clock=CLOCK,
        databases=MemoryDatabases(world),  # type: ignore[arg-type]
        jars=(),
        progress=LoggedProgress(),
        roles=HERE,
        counter_source=ProcessTreeSource(),
        sandboxing=BwrapSandboxing(CLOCK, ProcessTreeSource(), {}),
        new_engine=lambda _: MemoryEngine(world),  # type: ignore[arg-type,return-value]
        cancel_backends=lambda *_: 0,
        memory_cap_bytes=None,
        result_grace_seconds=30.0,
        machine_lock=tmp_path / "machine.lock",
    )


@pytest.fixture
def task_id(store: SqliteStore) -> str:
    return take_in(store, CLOCK, inlined(ORDER), {}, new_ids(CLOCK)).task_id


@pytest.fixture
def workers() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


@pytest.fixture
def served(parts: Parts, workers: Threads, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """Parts of a leader that hands over."""
    monkeypatch.setattr(monitored, "LOOK_SECONDS", 0.05)
    workers.parts = replace(parts, roles=at_workers(workers))
    return workers.parts


@pytest.fixture
def engines(served: Parts, workers: Threads, world: World) -> list[MemoryEngine]:
    """Those made."""
    made: list[MemoryEngine] = []

    def new_engine(_: object) -> MemoryEngine:
        made.append(MemoryEngine(world))
        return made[-1]

    workers.parts = replace(served, new_engine=new_engine)  # type: ignore[arg-type]
    return made

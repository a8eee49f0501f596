"""What the tests of leading share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading import leader as leading
from orchestrator.leading import stretch
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.progress import LoggedProgress
from orchestrator.leading.roles import HERE
from orchestrator.proving.sandboxing import BwrapSandboxing
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.sqlite import SqliteStore
from tests.unit.leading.memory import CLOCK, ORDER, MemoryDatabases, MemoryEngine, World


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

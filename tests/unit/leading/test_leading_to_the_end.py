"""The leader's ends: whatever happens in the middle, every slot is recorded once and nothing stays open.

Engine and databases are in memory; the real ones are in the tests end to end.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SnippetCall
from orchestrator import tasks
from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading import leader as leading
from orchestrator.leading import stretch
from orchestrator.leading.leader import lead
from orchestrator.leading.lease import TaskLease, TaskSettled, change_task
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.progress import LoggedProgress
from orchestrator.proving.sandboxing import BwrapSandboxing
from snipbench.clock import SystemClock, to_text
from snipbench.domain.result import ResultFacts
from snipbench.domain.run import Failure, RunOutcome, RunStatus, TaskStatus
from snipbench.domain.task import Lease, Task
from snipbench.errors import LeaderStopped, LeaseLost, SessionLost, StoreAway
from snipbench.records import task_from_document
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.sqlite import SqliteStore

ORDER = """\
name: led
monitor: {interval: 50ms, source: process}
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: pair
    database: shop
    tables: [lineitem]
    warmups: 1
    repetitions: 4
    snippets:
      - {name: base, kind: sql, code: select 1 as one from lineitem}
      - {name: variant, kind: sql, variant_of: base, code: select 2 - 1 as one from lineitem}
"""
CONNECTION = Connection("127.0.0.1", 1, "snipbench", "run", "pw")
CLOCK = SystemClock()


@dataclass
class World:
    """What the engines and databases in memory share. ``at_run`` is called before each run, with its number."""

    at_run: Callable[[int], None] = lambda _: None
    runs: int = 0
    engines: int = 0
    clones: set[str] = field(default_factory=set)


class MemoryEngine:
    """The engine's calls, without a process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._killed = threading.Event()
        world.engines += 1
        self.session_id = f"session-{world.engines}"
        self.lost: str | None = None
        self.target = Target("executor", pid=os.getpid())

    def start(self) -> SessionFacts:
        return SessionFacts(self.session_id, os.getpid(), "4", (), 0.0, "3", "17")

    def prepare(self, request: PrepareRequest) -> PreparedFacts:
        return PreparedFacts((), (), (), 0.0)

    def run(self, call: SnippetCall, **_: Any) -> RunOutcome:
        self._world.runs += 1
        self._world.at_run(self._world.runs)
        now = to_text(CLOCK.now())
        if self._killed.is_set():
            self.lost = "it was killed"
            failure = Failure("SessionLost", "it was killed")
            return RunOutcome(RunStatus.KILLED, self.session_id, now, now, None, failure)
        return RunOutcome(RunStatus.OK, self.session_id, now, now, 0.01)

    def fingerprint(self, call: SnippetCall, timeout_seconds: float, **_: Any) -> ResultFacts:
        if self._killed.is_set():
            raise SessionLost("it was killed")
        return ResultFacts("hash", 1, (("one", "int"),))

    def stop(self) -> None:
        self.kill()

    def kill(self, reason: str = "") -> None:
        self._killed.set()

    def wait_for_kill(self) -> None:
        assert self._killed.wait(10)


class MemoryDatabases:
    """The provider's calls, without a server."""

    def __init__(self, world: World) -> None:
        self._world = world

    def dataset_hash(self, database: Any, base: Path) -> str:
        return "hash"

    def prepare(self, database: Any, base: Path, *, owner: str | None = None) -> Prototype:
        return Prototype("key", "hash", base, "manifest", "16", 1, built=False)

    def clone(
        self, prototype: Prototype, database: Any, *, owner: str, tables: Sequence[str] | None = None
    ) -> ReferenceDatabase:
        clone_id = f"clone-{len(self._world.clones)}-{owner}"
        self._world.clones.add(clone_id)
        target = Target("database:shop", pid=os.getpid())
        return ReferenceDatabase(
            clone_id, prototype, "copy", "", CONNECTION, CONNECTION, target, "16", (), (), 0.0, 0.0
        )

    def release(self, clone_id: str) -> None:
        self._world.clones.discard(clone_id)


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


def task_of(parts: Parts, task_id: str) -> Task:
    document = parts.store.get("tasks", task_id)
    assert document is not None
    return task_from_document(document)


def whole(parts: Parts, task_id: str) -> None:
    """Every slot recorded once, no pair across sessions."""
    plan = parts.store.get("plans", task_id)
    runs = list(parts.store.find("runs", {"task_id": task_id}))
    assert plan is not None
    assert sorted(run["slot_id"] for run in runs) == sorted(slot["slot_id"] for slot in plan["slots"])
    blocks: dict[str, set[str]] = {}
    for run in runs:
        if run["block"] is not None:
            blocks.setdefault(run["block"], set()).add(run["session_id"])
    assert all(len(sessions) == 1 for sessions in blocks.values())


def test_a_task_is_led_to_its_end_and_settled(parts: Parts, world: World, task_id: str) -> None:
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    whole(parts, task_id)
    task = task_of(parts, task_id)
    assert (task.status, task.settled, world.clones) == (TaskStatus.COMPLETED, True, set())
    assert task.lease is not None
    assert task.lease.holder == ""
    with pytest.raises(TaskSettled):
        lead(parts, task_id)


def test_cancel_in_the_middle_kills_the_session_and_keeps_what_was_recorded(
    parts: Parts, world: World, task_id: str
) -> None:
    def at_run(number: int) -> None:
        if number == 5:
            tasks.cancel(parts.store, task_id)
            engines[-1].wait_for_kill()

    engines: list[MemoryEngine] = []

    def new_engine(_: object) -> MemoryEngine:
        engines.append(MemoryEngine(world))
        return engines[-1]

    world.at_run = at_run
    assert lead(replace(parts, new_engine=new_engine), task_id) is TaskStatus.CANCELLED
    task = task_of(parts, task_id)
    assert (task.status, task.settled, world.clones) == (TaskStatus.CANCELLED, True, set())
    assert parts.store.count("runs", {"task_id": task_id}) == 4
    names = [event["name"] for event in parts.store.find("events", {"task_id": task_id})]
    assert names[-1] == "task cancelled"
    assert "monitoring stopped" in names
    world.at_run = lambda _: None
    tasks.retry(parts.store, CLOCK, task_id)
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    whole(parts, task_id)


def test_a_task_cancelled_before_it_was_led_ends_without_a_database(parts: Parts, world: World, task_id: str) -> None:
    tasks.cancel(parts.store, task_id)
    assert lead(parts, task_id) is TaskStatus.CANCELLED
    assert (world.engines, task_of(parts, task_id).status) == (0, TaskStatus.CANCELLED)


def test_cancel_ends_the_waiting_for_a_machine_that_another_one_measures_on(
    parts: Parts, world: World, task_id: str
) -> None:
    with parts.measuring("another task"):
        cancelling = threading.Timer(0.3, tasks.cancel, (parts.store, task_id))
        cancelling.start()
        assert lead(parts, task_id) is TaskStatus.CANCELLED
        cancelling.join()
    assert world.engines == 0


def test_a_leader_told_to_stop_leaves_the_rest_to_the_next(parts: Parts, world: World, task_id: str) -> None:
    leases: list[TaskLease] = []
    world.at_run = lambda number: leases[0].stop() if number == 5 else None
    with pytest.raises(LeaderStopped):
        lead(parts, task_id, taken=leases.append)
    task = task_of(parts, task_id)
    assert (task.status, task.settled, world.clones) == (TaskStatus.RUNNING, False, set())
    world.at_run = lambda _: None
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    whole(parts, task_id)
    assert world.engines == 2


def test_a_leader_that_was_overtaken_writes_nothing_more_and_clears_up(
    parts: Parts, world: World, task_id: str
) -> None:
    def overtake(number: int) -> None:
        if number == 5:
            change_task(parts.store, task_id, lambda task: _with(task, Lease("other", 99, to_text(CLOCK.now()))))

    world.at_run = overtake
    with pytest.raises(LeaseLost):
        lead(parts, task_id)
    assert parts.store.count("runs", {"task_id": task_id}) == 4
    task = task_of(parts, task_id)
    assert task.lease is not None
    assert (task.status, task.settled, task.lease.token, world.clones) == (TaskStatus.RUNNING, False, 99, set())
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    whole(parts, task_id)


def test_a_store_that_goes_away_leaves_the_task_for_later(
    parts: Parts, world: World, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = SqliteStore.insert

    def away(self: SqliteStore, collection: str, documents: Any) -> int:
        if collection == "runs" and world.runs == 5:
            raise StoreAway("the store is away")
        return insert(self, collection, documents)

    monkeypatch.setattr(SqliteStore, "insert", away)
    with pytest.raises(StoreAway):
        lead(parts, task_id)
    task = task_of(parts, task_id)
    assert (task.status, task.settled, world.clones) == (TaskStatus.RUNNING, False, set())
    world.runs = 100
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    whole(parts, task_id)


def test_a_person_s_interrupt_settles_the_task(parts: Parts, world: World, task_id: str) -> None:
    def interrupt(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    world.at_run = interrupt
    with pytest.raises(KeyboardInterrupt):
        lead(parts, task_id)
    task = task_of(parts, task_id)
    assert (task.status, task.settled, world.clones) == (TaskStatus.INTERRUPTED, True, set())


def test_cancel_while_a_session_starts_is_noticed_before_anything_runs(
    parts: Parts, world: World, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = MemoryEngine.start

    def cancelled_meanwhile(self: MemoryEngine) -> SessionFacts:
        tasks.cancel(parts.store, task_id)
        return start(self)

    monkeypatch.setattr(MemoryEngine, "start", cancelled_meanwhile)
    assert lead(parts, task_id) is TaskStatus.CANCELLED
    assert world.runs == 0


def _with(task: Task, lease: Lease) -> Task:
    return replace(task, lease=lease)

"""Engines and databases in memory: what a leader and its workers do can be seen without Spark and PostgreSQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SnippetCall
from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from orchestrator.leading.parts import Parts
from snipbench.clock import SystemClock, to_text
from snipbench.domain.result import ResultFacts
from snipbench.domain.run import Failure, RunOutcome, RunStatus
from snipbench.domain.task import Task
from snipbench.errors import DatabaseError, SessionLost
from snipbench.records import task_from_document
from snipbench.resources.port import Target

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
    """What the engines and databases in memory share. ``at_run`` is called before each run, with its number;
    ``at_clone`` before each clone."""

    at_run: Callable[[int], None] = lambda _: None
    runs: int = 0
    engines: int = 0
    clones: set[str] = field(default_factory=set)
    at_clone: Callable[[], None] = lambda: None


class MemoryEngine:
    """The engine's calls, without a process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._killed = threading.Event()
        self._interrupted = threading.Event()
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
        if self._interrupted.is_set():
            return RunOutcome(RunStatus.TIMEOUT, self.session_id, now, now, None, Failure("Timeout", "interrupted"))
        return RunOutcome(RunStatus.OK, self.session_id, now, now, 0.01)

    def fingerprint(self, call: SnippetCall, timeout_seconds: float, **_: Any) -> ResultFacts:
        if self._killed.is_set():
            raise SessionLost("it was killed")
        return ResultFacts("hash", 1, (("one", "int"),))

    def stop(self) -> None:
        self.lost = self.lost or "it was stopped"
        self.kill()

    def interrupt(self) -> None:
        self._interrupted.set()

    def go_on(self, source: object) -> bool:
        self._interrupted.clear()
        return self.lost is None

    def wait_for_interrupt(self) -> None:
        assert self._interrupted.wait(60)

    def kill(self, reason: str = "") -> None:
        self._killed.set()

    def wait_for_kill(self) -> None:
        assert self._killed.wait(60)


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
        self._world.at_clone()
        clone_id = f"clone-{len(self._world.clones)}-{owner}"
        self._world.clones.add(clone_id)
        return self.find(clone_id)

    def find(self, clone_id: str) -> ReferenceDatabase:
        if clone_id not in self._world.clones:
            raise DatabaseError("no clone")
        prototype = Prototype("key", "hash", Path(), "manifest", "16", 1, built=False)
        target = Target("database:shop", pid=os.getpid())
        return ReferenceDatabase(
            clone_id, prototype, "copy", "", CONNECTION, CONNECTION, target, "16", (), (), 0.0, 0.0
        )

    def release(self, clone_id: str) -> None:
        self._world.clones.discard(clone_id)


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

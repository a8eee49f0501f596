"""Whose clones an initializer takes away: the lease of their task decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.databases.port import DatabaseProvider
from orchestrator.initializer.orphans import GRACE_SECONDS, Orphans
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading.lease import LEASE_SECONDS, TaskLease, change_task
from snipbench.clock import SystemClock
from snipbench.domain.task import Task
from snipbench.store.sqlite import SqliteStore
from tests.orders import ONE_SUM


class Moving:
    """A clock that is set forward."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = datetime.now(UTC)

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Clones:
    """The part of a provider that is asked here."""

    def __init__(self, owners: dict[str, str]) -> None:
        self.owners = owners

    def clones(self) -> Mapping[str, str]:
        return dict(self.owners)

    def release(self, clone_id: str) -> None:
        del self.owners[clone_id]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite")
    yield store
    store.close()


def orphans(store: SqliteStore, clock: Any, owners: dict[str, str]) -> Orphans:
    return Orphans(cast(DatabaseProvider, Clones(owners)), store, clock)


def submitted(store: SqliteStore) -> str:
    return take_in(store, SystemClock(), inlined(ONE_SUM), {}, new_ids(SystemClock())).task_id


def test_a_led_task_s_clone_stays_and_goes_when_the_next_leader_comes(store: SqliteStore) -> None:
    clock, task_id = Moving(), submitted(store)
    TaskLease.take(store, clock, task_id)
    looking = orphans(store, clock, {"clone-1": task_id})
    assert looking.look() == []
    clock.sleep(LEASE_SECONDS + 1)
    assert looking.look() == []
    TaskLease.take(store, clock, task_id)
    assert looking.look() == ["clone-1"]


def test_a_task_that_nobody_leads_loses_its_clones_after_a_while(store: SqliteStore) -> None:
    clock, task_id = Moving(), submitted(store)
    TaskLease.take(store, clock, task_id)
    looking = orphans(store, clock, {"clone-1": task_id})
    assert looking.look() == []
    clock.sleep(LEASE_SECONDS + 1)
    assert looking.look() == []
    clock.sleep(GRACE_SECONDS + 1)
    assert looking.look() == ["clone-1"]


def test_what_belongs_to_no_task_or_to_one_that_has_ended_goes_at_once(store: SqliteStore) -> None:
    clock, task_id = Moving(), submitted(store)

    def ended(task: Task) -> Task:
        from dataclasses import replace

        return replace(task, settled=True)

    change_task(store, task_id, ended)
    looking = orphans(store, clock, {"clone-1": task_id, "clone-2": "task-that-never-was"})
    assert looking.look() == ["clone-1", "clone-2"]

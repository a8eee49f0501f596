"""Ringing again for what nobody does: soon at first, then more rarely, and at once when a leader died."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.dispatch.port import Work
from orchestrator.dispatch.reconciler import Reconciler
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading.lease import TaskLease
from snipbench.clock import SystemClock
from snipbench.errors import DispatchAway
from snipbench.store.sqlite import SqliteStore
from tests.orders import ONE_SUM


class Bells:
    """A dispatch that notes, or is away."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.away = False

    def ring(self, work: Work, subject: str) -> None:
        if self.away:
            raise DispatchAway("away")
        self.rung.append(subject)

    def ready(self) -> None:
        """Always."""

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite")
    yield store
    store.close()


def test_a_task_is_rung_for_until_it_is_led_and_again_when_its_leader_is_gone(store: SqliteStore) -> None:
    clock, bells = SystemClock(), Bells()
    task_id = take_in(store, clock, inlined(ONE_SUM), {}, new_ids(clock)).task_id
    take_in(store, clock, inlined(ONE_SUM), {}, new_ids(clock), mode="embedded")
    reconciler = Reconciler(store, clock, bells)
    rounds = [bool(reconciler.look()) for _ in range(80)]
    assert set(bells.rung) == {task_id}
    assert [number for number, rung in enumerate(rounds) if rung] == [0, 6, 17, 38, 69]
    with TaskLease.take(store, clock, task_id) as lease:
        assert reconciler.look() == []
    assert reconciler.look() == [(Work.LEAD, task_id)]
    with TaskLease.take(store, clock, task_id) as lease:
        lease.settled = True
    assert [reconciler.look() for _ in range(20)] == [[]] * 20


def test_a_broker_that_was_away_is_told_when_it_is_back(store: SqliteStore) -> None:
    clock, bells = SystemClock(), Bells()
    task_id = take_in(store, clock, inlined(ONE_SUM), {}, new_ids(clock)).task_id
    reconciler = Reconciler(store, clock, bells)
    bells.away = True
    for _ in range(3):
        with pytest.raises(DispatchAway):
            reconciler.look()
    bells.away = False
    assert reconciler.look() == [(Work.LEAD, task_id)]

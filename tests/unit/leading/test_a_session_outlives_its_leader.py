"""A leader that goes leaves its session to the next one, and to nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator import tasks
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading import kept_session
from orchestrator.leading.leader import lead
from orchestrator.leading.lease import change_task
from orchestrator.leading.parts import Parts
from snipbench.clock import to_text
from snipbench.domain.run import TaskStatus
from snipbench.domain.task import Lease
from snipbench.errors import SnipbenchError
from tests.unit.leading.memory import CLOCK, ORDER, MemoryEngine, World, whole
from tests.unit.leading.worker_threads import Threads, events
from tests.waiting import until


def overtake(parts: Parts, task_id: str) -> None:
    """Another leader takes the task."""
    other = Lease("other", 99, to_text(CLOCK.now()))
    change_task(parts.store, task_id, lambda task: replace(task, lease=other))


def test_the_session_of_a_leader_that_was_overtaken_goes_on_under_the_next(
    served: Parts, workers: Threads, world: World, task_id: str, engines: list[MemoryEngine]
) -> None:
    def at_run(number: int) -> None:
        if number == 5:
            overtake(served, task_id)
            engines[0].wait_for_interrupt()

    world.at_run = at_run
    with pytest.raises(SnipbenchError):
        lead(served, task_id)
    assert served.store.count("runs", {"task_id": task_id}) == 4
    until(lambda: workers.errors)
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert len(engines) == 1
    names = [event["name"] for event in events(served, task_id)]
    assert names.count("session kept") == 1
    runs = list(served.store.find("runs", {"task_id": task_id}))
    assert {(run["status"], run["session_id"]) for run in runs} == {("ok", "session-1")}


def test_a_kept_session_that_nobody_wants_is_ended(
    served: Parts,
    workers: Threads,
    world: World,
    task_id: str,
    engines: list[MemoryEngine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_session, "KEPT_SECONDS", 0.2)
    world.at_run = lambda number: overtake(served, task_id) if number == 5 else None
    with pytest.raises(SnipbenchError):
        lead(served, task_id)
    engines[0].wait_for_kill()
    world.at_run = lambda _: None
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert len(engines) == 2


def test_a_kept_session_makes_room_for_another_task(
    served: Parts, workers: Threads, world: World, task_id: str, engines: list[MemoryEngine]
) -> None:
    world.at_run = lambda number: overtake(served, task_id) if number == 5 else None
    with pytest.raises(SnipbenchError):
        lead(served, task_id)
    other = take_in(served.store, CLOCK, inlined(ORDER), {}, new_ids(CLOCK)).task_id
    world.at_run = lambda _: None
    assert lead(served, other) is TaskStatus.COMPLETED
    engines[0].wait_for_kill()
    assert len(engines) == 2


def test_no_session_is_kept_of_a_task_that_is_to_end(
    served: Parts, workers: Threads, world: World, task_id: str, engines: list[MemoryEngine]
) -> None:
    def at_run(number: int) -> None:
        if number == 5:
            tasks.cancel(served.store, CLOCK, task_id)
            overtake(served, task_id)

    world.at_run = at_run
    with pytest.raises(SnipbenchError):
        lead(served, task_id)
    engines[0].wait_for_kill()

"""A task whose command was killed: it is said that nobody leads it, and it can be cancelled at once; what is shown of
one that was cut short."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator import tasks
from orchestrator.cli import cli
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading.leader import lead
from orchestrator.leading.lease import TaskLease, change_task
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.run import TaskStatus
from snipbench.domain.task import Task
from snipbench.errors import LeaseLost
from snipbench.store.sqlite import SqliteStore
from tests.unit.leading.memory import CLOCK, ORDER, World, task_of, whole


@pytest.fixture
def local(store: SqliteStore) -> str:
    """A task of this machine."""
    return take_in(store, CLOCK, inlined(ORDER), {}, new_ids(CLOCK), mode="embedded").task_id


@pytest.fixture
def leader(store: SqliteStore, local: str) -> TaskLease:
    """One that lives."""
    lease = TaskLease.take(store, CLOCK, local)
    TaskBook.open(store, CLOCK, local, lease).update(status=TaskStatus.RUNNING)
    return lease


@pytest.fixture
def killed(store: SqliteStore, leader: TaskLease, local: str) -> TaskLease:
    """One that was killed a moment ago: its lease is good for some seconds more, its process is gone."""
    change_task(store, local, _dead)
    return leader


def _dead(task: Task) -> Task:
    assert task.lease is not None
    holder = json.loads(task.lease.holder) | {"started_ticks": 1}
    return replace(task, lease=replace(task.lease, holder=json.dumps(holder)))


def snipbench(tmp_path: Path, command: str, *more: str) -> Result:
    return CliRunner().invoke(cli, [command, "latest", "--home", str(tmp_path), *more], standalone_mode=False)


@pytest.mark.usefixtures("killed")
def test_cancel_ends_it_at_once_and_retry_goes_on(parts: Parts, local: str, tmp_path: Path) -> None:
    done = snipbench(tmp_path, "cancel")
    assert done.stdout == f"{local}: cancelled; nobody led it\n"
    task = task_of(parts, local)
    assert (task.status, task.settled, task.ended_at is None) == (TaskStatus.CANCELLED, True, False)
    names = [event["name"] for event in parts.store.find("events", {"task_id": local}, order_by=("sequence",))]
    assert names[-1] == "task cancelled"
    assert snipbench(tmp_path, "watch").return_value == 1, "it has ended"
    tasks.reopen(parts.store, CLOCK, local)
    assert lead(parts, local) is TaskStatus.COMPLETED
    whole(parts, local)


def test_a_report_of_a_task_that_was_cut_short_shows_what_there_is(
    parts: Parts, world: World, local: str, tmp_path: Path
) -> None:
    world.at_run = lambda number: tasks.cancel(parts.store, CLOCK, local) if number == 5 else None
    assert lead(parts, local) is TaskStatus.CANCELLED
    assert task_of(parts, local).report is None
    page = Path(snipbench(tmp_path, "report").stdout.strip()).read_text("utf-8")
    assert '<dd class="cancelled">cancelled</dd>' in page


def test_a_leader_that_only_seemed_dead_writes_nothing_into_a_cancelled_task(
    parts: Parts, killed: TaskLease, local: str
) -> None:
    tasks.cancel(parts.store, CLOCK, local)
    with pytest.raises(LeaseLost):
        TaskBook.open(parts.store, CLOCK, local, killed).finish(TaskStatus.COMPLETED)


@pytest.mark.usefixtures("killed")
def test_status_and_watch_say_that_nobody_leads_it(tmp_path: Path) -> None:
    assert "nobody leads it" in snipbench(tmp_path, "status").stdout
    assert json.loads(snipbench(tmp_path, "status", "--json").stdout)["nobody_leads"] is True
    done = snipbench(tmp_path, "watch")
    assert done.return_value == 1
    assert "nobody leads it" in done.stderr


@pytest.mark.usefixtures("leader")
def test_a_task_that_is_led_is_left_to_its_leader(parts: Parts, local: str, tmp_path: Path) -> None:
    assert "nobody leads it" not in snipbench(tmp_path, "status").stdout
    assert snipbench(tmp_path, "cancel").stdout == f"{local}: to be cancelled\n"
    assert task_of(parts, local).settled is False


def test_a_service_s_task_waits_for_a_leader(parts: Parts, task_id: str, tmp_path: Path) -> None:
    assert "nobody leads it" not in snipbench(tmp_path, "status").stdout
    assert snipbench(tmp_path, "cancel").stdout == f"{task_id}: to be cancelled\n"
    assert task_of(parts, task_id).settled is False

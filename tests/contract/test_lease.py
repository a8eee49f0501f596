"""One leader at a time, the next one when it died, nobody for ever."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator import tasks
from orchestrator.leading.holder import this_holder
from orchestrator.leading.lease import FRUITLESS_CAP, TaskHeld, TaskLease, TaskSettled, change_task
from orchestrator.leading.taskbook import TaskBook
from snipbench.clock import SystemClock, to_text
from snipbench.domain.database import Database, Tpch
from snipbench.domain.order import Order
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.domain.run import Failure, TaskStatus
from snipbench.domain.task import OrderRecord, SnippetResult, Task
from snipbench.errors import LeaderStopped, LeaseLost, SnipbenchError, TaskCancelled, UsageError
from snipbench.records import task_from_document
from snipbench.store.opening import open_store
from snipbench.store.port import DocumentStore


class StillClock(SystemClock):
    """Its time passes when told to."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.mongo)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentStore]:
    if request.param == "sqlite":
        store = open_store(str(tmp_path / "store.sqlite"))
        yield store
        store.close()
        return
    import pymongo

    server = request.getfixturevalue("mongo_server")
    database = f"snipbench_test_{uuid.uuid4().hex[:12]}"
    store = open_store(f"{server}/{database}")
    yield store
    store.close()
    with pymongo.MongoClient[dict[str, object]](server) as client:
        client.drop_database(database)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def task_id(store: DocumentStore, clock: StillClock) -> str:
    shop = Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01))
    order = Order(name="leased", databases=(shop,), experiments=())
    record = OrderRecord("order-1", "order.yaml", "name: leased", order, to_text(clock.now()))
    return TaskBook.create(store, clock, record, mode="services").task.task_id


def task_of(store: DocumentStore, task_id: str) -> Task:
    document = store.get("tasks", task_id)
    assert document is not None
    return task_from_document(document)


def be_elsewhere(store: DocumentStore, task_id: str) -> None:
    """Make the holder a process of another machine, of which nothing but its lease can be told from here."""
    elsewhere = json.dumps({**json.loads(this_holder("x")), "host": "elsewhere", "boot_id": "other"})

    def moved(task: Task) -> Task:
        assert task.lease is not None
        return replace(task, lease=replace(task.lease, holder=elsewhere))

    change_task(store, task_id, moved)


def test_of_many_leaders_at_once_one_gets_the_task(store: DocumentStore, clock: StillClock, task_id: str) -> None:
    taken, held = [], []

    def lead() -> None:
        try:
            taken.append(TaskLease.take(store, clock, task_id))
        except TaskHeld:
            held.append(1)

    threads = [threading.Thread(target=lead) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(held)) == (1, 7)


def test_a_leader_elsewhere_is_overtaken_when_its_lease_ran_out_and_writes_nothing_more(
    store: DocumentStore, clock: StillClock, task_id: str
) -> None:
    first = TaskLease.take(store, clock, task_id, seconds=12)
    book = TaskBook.open(store, clock, task_id, first)
    be_elsewhere(store, task_id)
    clock.instant += timedelta(seconds=11)
    with pytest.raises(TaskHeld, match="on elsewhere"):
        TaskLease.take(store, clock, task_id)
    clock.instant += timedelta(seconds=2)
    second = TaskLease.take(store, clock, task_id)
    second.check()
    events = store.count("events")
    for write in (
        lambda: book.log("anything"),
        lambda: book.finish(TaskStatus.FAILED),
        book.check,
        lambda: book.withdraw([], reason=None),  # type: ignore[arg-type]
    ):
        with pytest.raises(LeaseLost):
            write()
    assert store.count("events") == events
    assert task_of(store, task_id).status is TaskStatus.QUEUED


def test_a_leader_whose_lease_ran_out_goes_on_while_nobody_took_it(
    store: DocumentStore, clock: StillClock, task_id: str
) -> None:
    lease = TaskLease.take(store, clock, task_id, seconds=12)
    clock.instant += timedelta(hours=1)
    lease.check()


def test_a_leader_that_died_on_this_machine_is_overtaken_at_once(
    store: DocumentStore, clock: StillClock, task_id: str
) -> None:
    TaskLease.take(store, clock, task_id)

    def dead(task: Task) -> Task:
        assert task.lease is not None
        holder = json.dumps({**json.loads(task.lease.holder), "started_ticks": 1})
        return replace(task, lease=replace(task.lease, holder=holder))

    change_task(store, task_id, dead)
    assert TaskLease.take(store, clock, task_id) is not None


def test_leaders_that_vanish_without_a_new_run_use_up_the_task(
    store: DocumentStore, clock: StillClock, task_id: str
) -> None:
    for _ in range(FRUITLESS_CAP):
        TaskLease.take(store, clock, task_id)
        be_elsewhere(store, task_id)
        clock.instant += timedelta(minutes=1)
    with pytest.raises(SnipbenchError, match="given up"):
        TaskLease.take(store, clock, task_id)
    task = task_of(store, task_id)
    assert (task.status, task.settled) == (TaskStatus.FAILED, True)
    assert task.failure is not None
    assert task.failure.kind == "Quarantined"
    tasks.retry(store, clock, task_id)
    assert TaskLease.take(store, clock, task_id) is not None


def test_leaders_that_vanish_each_after_a_new_run_use_up_nothing(
    store: DocumentStore, clock: StillClock, task_id: str
) -> None:
    for number in range(3 * FRUITLESS_CAP):
        TaskLease.take(store, clock, task_id)
        store.insert("runs", [{"_id": f"{task_id}:{number}", "task_id": task_id}])
        be_elsewhere(store, task_id)
        clock.instant += timedelta(minutes=1)
    lease = task_of(store, task_id).lease
    assert lease is not None
    assert (lease.token, lease.fruitless) == (3 * FRUITLESS_CAP, 0)


def test_a_settled_task_is_not_led_again_until_it_is_retried(
    store: DocumentStore, clock: StillClock, task_id: str
) -> None:
    with TaskLease.take(store, clock, task_id) as lease:
        TaskBook.open(store, clock, task_id, lease).finish(TaskStatus.FAILED)
        lease.settled = True
    with pytest.raises(TaskSettled):
        TaskLease.take(store, clock, task_id)
    with pytest.raises(UsageError, match="has ended already"):
        tasks.cancel(store, clock, task_id)
    assert tasks.retry(store, clock, task_id).status is TaskStatus.QUEUED
    assert TaskLease.take(store, clock, task_id) is not None


def test_a_cancelled_task_tells_its_leader_and_calls_what_ends_its_session(store: DocumentStore, task_id: str) -> None:
    ended = threading.Event()
    with TaskLease.take(store, SystemClock(), task_id) as lease:
        lease.at_the_end(ended.set)
        lease.check()
        tasks.cancel(store, SystemClock(), task_id)
        assert ended.wait(60)
        with pytest.raises(TaskCancelled):
            lease.check()
        lease.check(cancel=False)


def test_a_leader_told_to_stop_leaves_the_task_to_the_next(store: DocumentStore, task_id: str) -> None:
    clock = SystemClock()

    def lead() -> None:
        with TaskLease.take(store, clock, task_id) as lease:
            lease.stop()
            lease.check()

    with pytest.raises(LeaderStopped):
        lead()
    task = task_of(store, task_id)
    assert not task.settled
    assert task.lease is not None
    assert task.lease.holder == ""
    assert TaskLease.take(store, clock, task_id) is not None


def test_an_error_nobody_foresaw_counts_as_a_leader_that_vanished(store: DocumentStore, task_id: str) -> None:
    clock = SystemClock()
    for _ in range(FRUITLESS_CAP):
        with pytest.raises(ZeroDivisionError), TaskLease.take(store, clock, task_id):
            raise ZeroDivisionError
    with pytest.raises(SnipbenchError, match="given up"):
        TaskLease.take(store, clock, task_id)


def test_the_lease_is_renewed_while_it_is_held(store: DocumentStore, task_id: str) -> None:
    with TaskLease.take(store, SystemClock(), task_id, seconds=1.0):
        first = task_of(store, task_id).lease
        deadline = time.monotonic() + 60
        while task_of(store, task_id).lease == first:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_leader_that_gets_no_further_lets_go_though_its_process_lives(store: DocumentStore, task_id: str) -> None:
    ended = threading.Event()

    def lead() -> None:
        with TaskLease.take(store, SystemClock(), task_id, seconds=0.3) as lease:
            lease.patience_seconds = 0.1
            lease.at_the_end(ended.set)
            assert ended.wait(60)
            time.sleep(0.4)
            be_elsewhere(store, task_id)
            TaskLease.take(store, SystemClock(), task_id)
            lease.check()

    with pytest.raises(LeaseLost):
        lead()


def test_events_of_several_writers_are_numbered_without_gaps(
    store: DocumentStore, clock: StillClock, task_id: str
) -> None:
    books = [TaskBook.open(store, clock, task_id) for _ in range(2)]
    for number in range(6):
        books[number % 2].log(f"event {number}")
    events = list(store.find("events", {"task_id": task_id}))
    assert [event["sequence"] for event in events] == list(range(1, 10))
    assert [event["stage"] for event in events[:3]] == [1, 2, 3]


def test_what_later_passes_show_is_added_to_a_result(store: DocumentStore, clock: StillClock, task_id: str) -> None:
    book = TaskBook.open(store, clock, task_id)
    first = SnippetResult(task_id, "e", "s", (("n", 1),), "b", "clone-1", ResultFacts("ab", 10, (("a", "int"),)))
    other = replace(first, facts=ResultFacts("cd", 10, (("a", "int"),)))
    compared = replace(first, comparison=Comparison(Equality.EQUAL, "the hashes are equal"))
    for found in (first, other, first, other, compared):
        book.keep_result(found)
    (kept,) = book.results()
    assert (kept.facts, kept.changed_hashes, kept.comparison) == (first.facts, ("cd",), compared.comparison)


def test_what_a_pass_found_wrong_of_a_result_stays(store: DocumentStore, clock: StillClock, task_id: str) -> None:
    book = TaskBook.open(store, clock, task_id)
    first = SnippetResult(task_id, "e", "s", (("n", 1),), "b", "clone-1", ResultFacts("ab", 10, (("a", "int"),)))
    failure = Failure("Timeout", "the result took longer than 60 s")
    best_first = (Equality.EQUAL, Equality.EQUAL_WITHIN_TOLERANCE, Equality.INCONCLUSIVE, Equality.DIFFERENT)
    for equality in best_first:
        for later in (equality, Equality.EQUAL):
            book.keep_result(replace(first, comparison=Comparison(later, later.value)))
        (kept,) = book.results()
        assert kept.comparison == Comparison(equality, equality.value)
    book.keep_result(replace(first, facts=None, failure=failure))
    book.keep_result(first)
    (kept,) = book.results()
    assert (kept.facts, kept.failure) == (first.facts, failure)


def test_a_result_waits_for_what_a_dead_leader_claimed(
    store: DocumentStore, clock: StillClock, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where updates are not atomic, the next version of a document may be a dead writer's for some seconds."""
    book = TaskBook.open(store, clock, task_id)
    failed = SnippetResult(task_id, "e", "s", (), "s", "clone-1", None, failure=Failure("ValueError", "no"))
    book.keep_result(failed)
    refusals = iter([False, False])
    whole = store.replace
    monkeypatch.setattr(
        store, "replace", lambda *given, **named: next(refusals, None) is None and whole(*given, **named)
    )
    right = replace(failed, facts=ResultFacts("ab", 1, ()), failure=None)
    book.keep_result(right)
    assert book.results() == [right]

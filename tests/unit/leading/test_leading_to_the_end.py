"""The leader's ends: whatever happens in the middle, every slot is recorded once and nothing stays open.

Engine and databases are in memory; the real ones are in the tests end to end.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import count, repeat
from typing import Any

import pytest

from analyzer.material import load_material
from executor.calls import SessionFacts, SessionSpec, SnippetCall
from monitor.segment import segments
from monitor.spool import Spool
from orchestrator import environment, tasks
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading.leader import lead
from orchestrator.leading.lease import TaskLease, TaskSettled, change_task
from orchestrator.leading.parts import Parts
from snipbench.clock import to_text
from snipbench.domain.event import ENVIRONMENT_DIFFERS, WATCHING_MEASURED
from snipbench.domain.result import Comparison, ResultFacts
from snipbench.domain.run import TaskStatus
from snipbench.domain.task import Lease, Task
from snipbench.errors import LeaderStopped, LeaseLost, SessionLost, StoreAway
from snipbench.store.sqlite import SqliteStore
from tests.unit.leading.memory import CLOCK, ORDER, MemoryEngine, World, task_of, whole


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
            tasks.cancel(parts.store, CLOCK, task_id)
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


@pytest.mark.parametrize(("changed", "proves"), [(False, False), (True, True)])
def test_a_later_session_proves_its_parts_only_where_the_machine_or_its_libraries_are_others(
    parts: Parts,
    world: World,
    task_id: str,
    changed: bool,
    proves: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tested: list[bool] = []

    def new_engine(spec: SessionSpec) -> MemoryEngine:
        tested.append(spec.self_test)
        engine = MemoryEngine(world)
        world.at_run = lambda number: engine.kill() if number == 1 else None
        return engine

    versions = count() if changed else repeat(4)
    monkeypatch.setattr(environment, "library_versions", lambda: {"pyspark": str(next(versions))})
    assert lead(replace(parts, new_engine=new_engine), task_id) is TaskStatus.COMPLETED
    whole(parts, task_id)
    assert tested == [True, proves]


def test_a_session_on_another_machine_is_an_event_of_the_task(
    parts: Parts, world: World, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases: list[TaskLease] = []
    world.at_run = lambda number: leases[0].stop() if number == 5 else None
    monkeypatch.setattr(environment, "machine_facts", lambda: {"kernel": "6.1"})
    with pytest.raises(LeaderStopped):
        lead(parts, task_id, taken=leases.append)
    assert parts.store.count("events", {"name": ENVIRONMENT_DIFFERS}) == 0
    world.at_run = lambda _: None
    monkeypatch.setattr(environment, "machine_facts", lambda: {"kernel": "6.2", "cpu_count": 4})
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    (event,) = parts.store.find("events", {"name": ENVIRONMENT_DIFFERS})
    assert event["text"] == "machine.cpu_count: None -> 4; machine.kernel: 6.1 -> 6.2"
    material = load_material(parts.store, task_id)
    assert material.environment is not None
    assert material.environment.facts["machine"] == {"kernel": "6.1"}


def test_the_fingerprint_names_every_database_and_no_single_start_of_spark(parts: Parts, world: World) -> None:
    """Of two tasks on the same everything it is the same."""
    started = count()

    class Started(MemoryEngine):
        def start(self) -> SessionFacts:
            conf = (("spark.app.id", f"local-{next(started)}"), ("spark.driver.port", str(next(started))), ("a", "b"))
            return replace(super().start(), conf=conf)

    text = ORDER.replace("databases:", "databases:\n  other: {dataset: {generator: tpch, scale: 0.01}}")
    _, pair = ORDER.split("experiments:\n")
    text += pair.replace("pair", "again").replace("database: shop", "database: other")
    engines = replace(parts, new_engine=lambda _: Started(world))  # type: ignore[arg-type,return-value]
    found = []
    for _ in range(2):
        task_id = take_in(parts.store, CLOCK, inlined(text), {}, new_ids(CLOCK)).task_id
        assert lead(engines, task_id) is TaskStatus.COMPLETED
        kept = load_material(parts.store, task_id).environment
        assert kept is not None
        found.append(kept)
    assert {"database:shop", "database:other", "spark", "machine", "libraries"} <= set(found[0].facts)
    assert found[0].facts["spark"]["a"] == "b"
    assert found[0].fingerprint == found[1].fingerprint
    assert parts.store.count("events", {"name": ENVIRONMENT_DIFFERS}) == 0


def test_a_task_cancelled_before_it_was_led_ends_without_a_database(parts: Parts, world: World, task_id: str) -> None:
    tasks.cancel(parts.store, CLOCK, task_id)
    assert lead(parts, task_id) is TaskStatus.CANCELLED
    assert (world.engines, task_of(parts, task_id).status) == (0, TaskStatus.CANCELLED)


def test_cancel_ends_the_waiting_for_a_machine_that_another_one_measures_on(
    parts: Parts, world: World, task_id: str
) -> None:
    with parts.measuring("another task"):
        cancelling = threading.Timer(0.3, tasks.cancel, (parts.store, CLOCK, task_id))
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


def test_a_session_is_not_started_for_a_leader_that_was_told_to_stop_meanwhile(
    parts: Parts, world: World, task_id: str
) -> None:
    leases: list[TaskLease] = []
    started: list[str] = []

    class Engine(MemoryEngine):
        def start(self) -> SessionFacts:
            started.append(self.session_id)
            return super().start()

    def new_engine(_: object) -> MemoryEngine:
        leases[0].stop()  # nobody has an engine to end yet
        return Engine(world)

    with pytest.raises(LeaderStopped):
        lead(replace(parts, new_engine=new_engine), task_id, taken=leases.append)
    assert (started, world.clones) == ([], set())


def test_a_session_started_again_repeats_its_warm_ups_before_it_takes_results(
    parts: Parts, world: World, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    run, fingerprint = MemoryEngine.run, MemoryEngine.fingerprint
    monkeypatch.setattr(MemoryEngine, "run", lambda self, call, **more: done.append("run") or run(self, call, **more))
    monkeypatch.setattr(
        MemoryEngine, "fingerprint", lambda self, call, **more: done.append("result") or fingerprint(self, call, **more)
    )
    leases: list[TaskLease] = []
    world.at_run = lambda number: leases[0].stop() if number == 5 else None
    with pytest.raises(LeaderStopped):
        lead(parts, task_id, taken=leases.append)
    world.at_run = lambda _: None
    first = done.copy()
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    assert first[:5] == ["result", "result", "run", "run", "run"]
    assert done[len(first) :][:5] == ["run", "run", "result", "result", "run"]


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_session_lost_while_results_are_compared_costs_no_run_and_is_not_tried_again(
    parts: Parts, world: World, task_id: str, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    compared: list[str] = []

    def lost(self: MemoryEngine, _: SnippetCall, variant: SnippetCall, **__: Any) -> Comparison:
        compared.append(self.session_id)
        if cancelled:
            tasks.cancel(parts.store, CLOCK, task_id)
        self.kill()
        self.lost = "memory cap"
        raise SessionLost("memory cap")

    monkeypatch.setattr(
        MemoryEngine, "fingerprint", lambda _, call, **__: ResultFacts(call.snippet.name, 1, (("one", "int"),))
    )
    monkeypatch.setattr(MemoryEngine, "compare", lost, raising=False)
    status = lead(parts, task_id)
    assert compared == ["session-1"]
    (result,) = parts.store.find("results", {"task_id": task_id, "snippet": "variant"})
    if cancelled:
        assert (status, result["comparison"], world.runs) == (TaskStatus.CANCELLED, None, 0)
        return
    assert status is TaskStatus.COMPLETED
    whole(parts, task_id)
    assert {run["status"] for run in parts.store.find("runs", {"task_id": task_id})} == {"ok"}
    assert result["comparison"]["equality"] == "inconclusive"
    assert "memory cap" in result["comparison"]["reason"]


@pytest.mark.parametrize("ending", ["cancelled", "stopped"])
def test_a_last_result_cut_by_the_task_s_end_is_no_fault_of_the_snippet(
    parts: Parts, world: World, task_id: str, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    leases: list[TaskLease] = []
    fingerprint, taken = MemoryEngine.fingerprint, count(1)

    def cut(self: MemoryEngine, call: SnippetCall, timeout_seconds: float, **more: Any) -> ResultFacts:
        if next(taken) == 3:  # two before the warm-ups, two at the end
            leases[0].stop() if ending == "stopped" else tasks.cancel(parts.store, CLOCK, task_id)
            self.wait_for_kill()
            self.lost = "the task is to end"
        return fingerprint(self, call, timeout_seconds, **more)

    monkeypatch.setattr(MemoryEngine, "fingerprint", cut)
    if ending == "stopped":
        with pytest.raises(LeaderStopped):
            lead(parts, task_id, taken=leases.append)
    else:
        assert lead(parts, task_id, taken=leases.append) is TaskStatus.CANCELLED
        tasks.retry(parts.store, CLOCK, task_id)
    assert next(taken) == 4
    whole(parts, task_id)
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    assert [result["failure"] for result in parts.store.find("results", {"task_id": task_id})] == [None, None]


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
        tasks.cancel(parts.store, CLOCK, task_id)
        return start(self)

    monkeypatch.setattr(MemoryEngine, "start", cancelled_meanwhile)
    assert lead(parts, task_id) is TaskStatus.CANCELLED
    assert world.runs == 0


def _with(task: Task, lease: Lease) -> Task:
    return replace(task, lease=lease)


def test_what_watching_costs_is_measured_once_where_the_order_asks_for_it(parts: Parts, world: World) -> None:
    order = ORDER.replace("interval: 50ms", "interval: 50ms, pairs: 12")
    watched: list[bool] = []
    world.at_run = lambda _: watched.append(any(one.name == "monitor-reader" for one in threading.enumerate()))
    task_id = take_in(parts.store, CLOCK, inlined(order), {}, new_ids(CLOCK)).task_id
    assert lead(parts, task_id) is TaskStatus.COMPLETED
    whole(parts, task_id)
    (event,) = parts.store.find("events", {"task_id": task_id, "name": WATCHING_MEASURED})
    assert event["data"] == {
        "snippet": "base",
        "pairs": 12,
        "interval_seconds": 0.05,
        "median": 1.0,
        "low": 1.0,
        "high": 1.0,
    }
    planned = 2 * (1 + 4)
    assert world.runs == planned + 2 * (1 + 12)
    warming, *pairs = [watched[start : start + 2] for start in range(planned, world.runs, 2)]
    assert sorted(warming) == [False, True]
    assert all(sorted(pair) == [False, True] for pair in pairs)
    assert all(one == other[::-1] for one, other in zip(pairs[::2], pairs[1::2], strict=True))
    assert len({tuple(pair) for pair in pairs[::2]}) == 2, "which of them is first is chance"
    assert parts.store.count("samples", {"stream_id": "watching"}) == 0 < parts.store.count("samples")
    assert list(parts.home.work.iterdir()) == []


def test_what_a_killed_monitor_left_is_not_sent_to_the_store_of_the_pairs(parts: Parts, world: World) -> None:
    order = ORDER.replace("interval: 50ms", "interval: 50ms, pairs: 12")

    def kill_a_monitor(number: int) -> None:
        if number == 2 * (1 + 4) + 1:  # the first run of the pairs
            spool = Spool(parts.home.spool, "killed", 1 << 20)
            spool.append({"_id": "left"})
            spool.close()

    world.at_run = kill_a_monitor
    assert lead(parts, take_in(parts.store, CLOCK, inlined(order), {}, new_ids(CLOCK)).task_id) is TaskStatus.COMPLETED
    assert len(segments(parts.home.spool / "killed")) == 1

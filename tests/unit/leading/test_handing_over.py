"""A leader whose executor, monitor and analyzer are workers: whoever goes, every slot is recorded once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from executor.calls import SessionFacts
from orchestrator import tasks
from orchestrator.dispatch.port import Work
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading import asking, monitored
from orchestrator.leading.analysis import Landed, analyse
from orchestrator.leading.asking import WorkerFailed
from orchestrator.leading.assignment import ANSWERS, ASSIGNMENTS, State
from orchestrator.leading.leader import lead
from orchestrator.leading.lease import TaskLease
from orchestrator.leading.parts import Parts
from orchestrator.leading.taking import Taken
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.run import Failure, TaskStatus
from snipbench.errors import DatabaseError, LeaderStopped, MachineError, SnipbenchError
from tests.unit.leading.memory import CLOCK, ORDER, MemoryEngine, World, task_of, whole
from tests.unit.leading.worker_threads import Threads, events
from tests.waiting import until


def freeze(hold: Taken) -> None:
    """Let a worker fall silent, as one does that was suspended."""
    hold._end.set()


def test_a_task_is_made_by_workers_as_by_one_process(
    served: Parts, workers: Threads, world: World, task_id: str
) -> None:
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert (world.engines, world.clones, workers.errors) == (1, set(), [])
    told = events(served, task_id)
    stages = [event["stage"] for event in told if event["stage"] is not None]
    assert sorted(set(stages), key=stages.index) == list(range(1, 19))
    assert [event["sequence"] for event in told] == list(range(1, len(told) + 1))
    assert [(len(workers.holds[work])) for work in (Work.EXECUTE, Work.MONITOR)] == [1, 1]
    assert served.store.count("samples", {"task_id": task_id}) > 0
    assert {document["state"] for document in served.store.find(ASSIGNMENTS)} == {State.DONE.value}
    assert all(document["ended"] for document in served.store.find(ANSWERS))
    assert "pw" not in str([list(served.store.find(name)) for name in (ASSIGNMENTS, ANSWERS)])


def test_the_session_is_started_while_the_database_is_made(served: Parts, world: World, task_id: str) -> None:
    world.at_clone = lambda: until(lambda: world.engines == 1)
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert world.engines == 1


def test_a_database_that_cannot_be_made_ends_the_session_that_was_started_for_it(
    served: Parts, workers: Threads, world: World, task_id: str
) -> None:
    def fail() -> None:
        until(lambda: world.engines == 1)
        raise DatabaseError("no room")

    world.at_clone = fail
    with pytest.raises(DatabaseError):
        lead(served, task_id)
    assert task_of(served, task_id).status is TaskStatus.FAILED
    assert [type(error).__name__ for error in workers.errors] == ["LeaseLost"]


def test_an_executor_that_wakes_up_after_it_was_replaced_records_nothing_more(
    served: Parts, workers: Threads, world: World, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "VANISHED_SECONDS", 4.0)

    def sleep(number: int) -> None:
        if number == 6:
            hold = workers.holds[Work.EXECUTE][0]
            freeze(hold)
            until(lambda: len(workers.holds[Work.EXECUTE]) == 2)

    world.at_run = sleep
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert world.engines == 2
    names = [event["name"] for event in events(served, task_id)]
    assert "session lost" in names
    assert "block cut" in names
    assert [type(error).__name__ for error in workers.errors].count("LeaseLost") >= 1


def test_a_cancelled_task_ends_its_session_at_the_executor(
    served: Parts, workers: Threads, world: World, task_id: str, engines: list[MemoryEngine]
) -> None:
    def cancel(number: int) -> None:
        if number == 5:
            tasks.cancel(served.store, CLOCK, task_id)
            engines[-1].wait_for_kill()

    world.at_run = cancel
    assert lead(served, task_id) is TaskStatus.CANCELLED
    assert (task_of(served, task_id).settled, world.clones) == (True, set())
    assert served.store.count("runs", {"task_id": task_id}) == 4
    assert events(served, task_id)[-1]["name"] == "task cancelled"


def test_an_executor_that_gets_no_further_is_replaced_though_its_process_lives(
    served: Parts, workers: Threads, world: World, task_id: str, engines: list[MemoryEngine]
) -> None:
    def hang(number: int) -> None:
        if number == 5:
            workers.holds[Work.EXECUTE][0].patience_seconds = 0.3
            engines[0].wait_for_kill()

    world.at_run = hang
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert len(engines) == 2
    assert any("got no further" in str(error) for error in workers.errors)


def test_an_executor_told_to_stop_leaves_the_rest_to_another(
    served: Parts, workers: Threads, world: World, task_id: str
) -> None:
    world.at_run = lambda number: workers.holds[Work.EXECUTE][-1].stop() if number in {3, 6, 9} else None
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert (world.engines, world.clones) == (4, set())


def test_executors_that_all_go_before_anything_is_recorded_end_the_task(
    served: Parts, workers: Threads, world: World, task_id: str
) -> None:
    world.at_run = lambda _: workers.holds[Work.EXECUTE][-1].stop()
    with pytest.raises(SnipbenchError):
        lead(served, task_id)
    task = task_of(served, task_id)
    assert (task.status, task.settled, world.clones) == (TaskStatus.FAILED, True, set())
    assert task.failure is not None
    assert task.failure.kind == "SessionLost"


def test_a_leader_told_to_stop_leaves_the_rest_to_the_next(
    served: Parts, workers: Threads, world: World, task_id: str
) -> None:
    leases: list[TaskLease] = []
    world.at_run = lambda number: leases[0].stop() if number == 5 else None
    with pytest.raises(LeaderStopped):
        lead(served, task_id, taken=leases.append)
    assert (task_of(served, task_id).settled, world.clones) == (False, set())
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)


def test_what_fails_at_the_executor_fails_the_task_in_the_same_words(
    served: Parts, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> SessionFacts:
        raise MachineError("Spark 4 and Java 8 do not fit together")

    monkeypatch.setattr(MemoryEngine, "start", fail)
    with pytest.raises(WorkerFailed, match="Java 8"):
        lead(served, task_id)
    expected = Failure("MachineError", "Spark 4 and Java 8 do not fit together")
    assert task_of(served, task_id).failure == expected


def test_without_a_monitor_the_runs_go_on_and_the_event_log_says_so(
    served: Parts, workers: Threads, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitored, "TAKEN_SECONDS", 0.2)
    workers.absent.add(Work.MONITOR)
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    told = [(event["name"], event["status"]) for event in events(served, task_id)]
    assert ("monitor: missing", "failed") in told
    assert ("monitoring started", "failed") in told
    assert ("monitoring stopped", "failed") in told
    assert served.store.count("samples", {"task_id": task_id}) == 0


def test_a_monitor_that_goes_is_told_of_and_replaced(
    served: Parts, workers: Threads, world: World, task_id: str
) -> None:
    def go(number: int) -> None:
        if number == 5:
            workers.holds[Work.MONITOR][0].stop()
            until(lambda: "monitor: watching" in {event["name"] for event in events(served, task_id)})

    world.at_run = go
    assert lead(served, task_id) is TaskStatus.COMPLETED
    whole(served, task_id)
    assert world.engines == 1
    told = events(served, task_id)
    assert [event["status"] for event in told if event["name"] == "monitor: missing"] == ["failed"]
    assert [event["status"] for event in told if event["stage"] == 17] == ["ok"]
    assert len({sample["stream_id"] for sample in served.store.find("samples", {"task_id": task_id})}) == 2


def test_a_process_of_another_container_is_not_taken_for_one_of_ours(
    served: Parts, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_elsewhere = SimpleNamespace(this_process=lambda _: SimpleNamespace(namespace="another"))
    monkeypatch.setattr(monitored, "Owner", asked_elsewhere)
    assert lead(served, task_id) is TaskStatus.COMPLETED
    failed = [event["text"] for event in events(served, task_id) if event["name"] == "monitor: source_failed"]
    assert failed == [
        f"{name}: its process is of another container or machine than the monitor"
        for name in ("executor", "database:shop")
    ]
    assert served.store.count("samples", {"task_id": task_id}) == 0


ANALYSES = """\
analyses:
  - {name: by-wall, kind: classify, target: wall_seconds}
  - {name: better, kind: optimize, worst: 1, advisor: rules}
"""


def test_an_analyzer_does_what_follows_the_runs_and_an_executor_the_proofs(
    served: Parts, workers: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def note(what: str, answer: object) -> object:
        made.append(what)
        if made.count("landed") == 1 and what == "landed":
            raise LeaderStopped("told to stop before it could say so")  # another one lands again
        return answer

    learned = {"sentence": "it learned", "verdict": "useful"}
    monkeypatch.setattr("orchestrator.leading.analysis.run_analysis", lambda *_, **__: note("learned", learned))
    monkeypatch.setattr("orchestrator.proving.improving.run_optimize", lambda *_, **__: note("proved", learned))
    monkeypatch.setattr("analyzer.landing.land", lambda *_, **__: note("landed", Landed(7, 0.5)))
    monkeypatch.setattr("analyzer.report.write_report", lambda *_: note("reported", "report.html"))
    task_id = take_in(served.store, CLOCK, inlined(ORDER + ANALYSES), {}, new_ids(CLOCK)).task_id
    with TaskLease.take(served.store, CLOCK, task_id) as lease:
        analyse(served, TaskBook.open(served.store, CLOCK, task_id, lease))
    assert made == ["learned", "proved", "landed", "landed", "reported"]
    assert len(workers.holds[Work.EXECUTE]) == 1
    assert task_of(served, task_id).report == "report.html"
    told = [(event["stage"], event["text"]) for event in events(served, task_id) if event["stage"] in {19, 20, 21}]
    assert [text for stage, text in told if stage == 20] == ["it learned", "it learned", "7 rows in 0.5 s"]
    assert [stage for stage, _ in told] == [19, 20, 21] * 3

"""The profile pass's own rules: which points, each once, whatever comes of it. The engine is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.synthetic import synthetic_order
from executor.calls import ProfileFacts, ProfileRequest, SnippetCall
from orchestrator.leading.parts import Home
from orchestrator.leading.profiles import ProfilePass, calls_folder, forget_calls, profiled_tables
from orchestrator.leading.taskbook import TaskBook
from snipbench import records
from snipbench.clock import SystemClock, to_text
from snipbench.domain.order import Order
from snipbench.domain.plan import Phase
from snipbench.domain.run import Failure, Run, RunOutcome, RunStatus
from snipbench.domain.task import OrderRecord
from snipbench.errors import LeaderGone, SessionLost, SnipbenchError, TaskCancelled
from snipbench.profiling.functions import register
from snipbench.profiling.sinks import Batch
from snipbench.store.sqlite import SqliteStore

ROW, PANDAS = "row", "pandas"
POINTS = [(name, (("limit", limit),)) for name in (ROW, PANDAS) for limit in (10, 20)]


@dataclass
class Engine:
    """Spills one call for each pass; ``behave`` may do otherwise."""

    behave: Callable[[SnippetCall], ProfileFacts | None] = lambda call: None
    asked: list[tuple[str, Any]] = field(default_factory=list)
    lost: str | None = None

    def profile(self, call: SnippetCall, request: ProfileRequest, **_: Any) -> ProfileFacts:
        from snipbench.profiling import DirectorySink

        self.asked.append((call.snippet.name, call.parameters))
        key = register(None, call.snippet.name, source=(None, None)).key
        one_call = [key, 1, 0, 1.0, 1.5]
        DirectorySink(request.folder).write(
            Batch("app", 1, ((1, "t"),), 1, 0.0, 1000, request.task_id, request.slot_id, one_call)
        )
        try:
            return self.behave(call) or ProfileFacts(1.0, 0)
        except SessionLost as error:
            self.lost = error.reason
            raise


@dataclass
class Setting:
    home: Home
    store: SqliteStore
    book: TaskBook
    order: Order
    notes: list[str]
    parts: Any
    passes: ProfilePass

    def take(self, engine: Engine) -> None:
        database: Any = SimpleNamespace(admin=None)
        made: Any = engine
        self.passes.take(self.order.experiments[0], made, database, "application")

    def kept(self) -> dict[tuple[str, Any], Any]:
        found = map(records.profile_from_document, self.store.find("profiles", {"task_id": self.book.task.task_id}))
        return {(profile.snippet, profile.parameters): profile for profile in found}


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    order = synthetic_order().model_copy(update={"profile": True})
    store, clock, home, notes = SqliteStore(tmp_path / "store.sqlite"), SystemClock(), Home(tmp_path), []
    record = OrderRecord("order-1", "order.yaml", "", order, to_text(clock.now()))
    book = TaskBook.create(store, clock, record, mode="embedded")
    parts: Any = SimpleNamespace(
        home=home, clock=clock, progress=SimpleNamespace(note=notes.append), cancel_backends=lambda *_: 0
    )
    yield Setting(home, store, book, order, notes, parts, ProfilePass(parts, book, order))
    store.close()


def test_every_point_of_the_python_snippets_is_profiled_once(setting: Setting) -> None:
    first, second = Engine(), Engine()
    assert setting.passes.left(setting.order.experiments[0]) == POINTS
    setting.take(first)
    setting.take(second)
    assert first.asked == POINTS
    assert second.asked == []
    assert [profile.calls for profile in setting.kept().values()] == [1] * 4
    assert setting.notes[0] == "profiled exchange/row limit=10: 1 calls of 1 functions"


def test_an_order_that_does_not_ask_has_nothing_to_profile(setting: Setting) -> None:
    parts: Any = None
    plain = setting.order.model_copy(update={"profile": False})
    assert ProfilePass(parts, setting.book, plain).left(plain.experiments[0]) == []


def test_a_pass_that_fails_keeps_its_calls_and_the_next_goes_on(setting: Setting) -> None:
    def behave(call: SnippetCall) -> ProfileFacts | None:
        return ProfileFacts(None, 3, Failure("ValueError", "no\nmore")) if call.snippet.name == ROW else None

    setting.take(Engine(behave))
    kept = setting.kept()
    assert set(kept) == set(POINTS)
    failed = kept[POINTS[0]]
    assert (failed.failure.kind, failed.seconds, failed.calls, failed.lost_calls) == ("ValueError", None, 1, 3)
    assert "profiled exchange/row limit=10: ValueError: no" in setting.notes


def test_a_lost_session_is_recorded_and_the_rest_left_to_the_next(setting: Setting) -> None:
    def behave(call: SnippetCall) -> ProfileFacts | None:
        if call.snippet.name == ROW:
            raise SessionLost("it was killed")
        return None

    setting.take(Engine(behave))
    assert [key for key, kept in setting.kept().items() if kept.failure.kind == "SessionLost"] == POINTS[:1]
    assert setting.passes.left(setting.order.experiments[0]) == POINTS[1:]


def test_what_took_too_long_is_not_tried(setting: Setting) -> None:
    now = to_text(SystemClock().now())
    outcome = RunOutcome(RunStatus.TIMEOUT, "session", now, now, wall_seconds=None)
    name, parameters = POINTS[0]
    setting.book.record(
        Run(
            setting.book.task.task_id, "slot", 1, "exchange", name, parameters, Phase.MEASURED, 0, None, 0, outcome, "c"
        )
    )
    engine = Engine()
    setting.take(engine)
    assert engine.asked == POINTS[1:]
    assert setting.kept()[POINTS[0]].failure.kind == "Quarantined"


def test_calls_wait_beside_the_store_until_they_are_landed(setting: Setting) -> None:
    task = setting.book.task.task_id
    assert profiled_tables(setting.home, task) == {}
    setting.take(Engine())
    assert profiled_tables(setting.home, task) == {"function_calls": calls_folder(setting.home, task)}
    assert len(list(calls_folder(setting.home, task).iterdir())) == 4
    assert not list(setting.home.work.rglob("*.jsonl"))
    forget_calls(setting.home, task)
    assert profiled_tables(setting.home, task) == {}


@pytest.mark.parametrize("reason", [TaskCancelled("cancelled"), LeaderGone("the leader went")])
def test_a_pass_cut_by_the_task_s_end_is_left_to_the_next(setting: Setting, reason: SnipbenchError) -> None:
    """Its session is killed, or what it does is interrupted, which looks like its time-out."""
    ended: list[SnipbenchError] = []

    def behave(call: SnippetCall) -> ProfileFacts | None:
        ended.append(reason)
        if isinstance(reason, LeaderGone):
            return ProfileFacts(None, 0, Failure("Timeout", "its profile pass took more than 30 s and was cancelled"))
        raise SessionLost("the task is to end")

    def check(*, cancel: bool = True) -> None:
        if ended:
            raise ended[0]

    hold: Any = SimpleNamespace(check=check)
    book = TaskBook.open(setting.store, SystemClock(), setting.book.task.task_id, hold)
    setting.passes = ProfilePass(setting.parts, book, setting.order)
    with pytest.raises(type(reason)):
        setting.take(Engine(behave))
    assert setting.passes.left(setting.order.experiments[0]) == POINTS

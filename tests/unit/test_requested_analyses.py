"""Analyses that were asked for after a task: made once, their failure told, begun again when the store was away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator import tasks
from orchestrator.dispatch.analyses import make_analysis, request_analysis
from orchestrator.leading.lease import change_task
from orchestrator.leading.parts import Home
from snipbench.clock import SystemClock
from snipbench.domain.analysis import Classify, Metric
from snipbench.errors import LakeError, SnipbenchError, StoreAway, UsageError
from snipbench.store.sqlite import SqliteStore

CLOCK = SystemClock()
WANTED = Classify(name="by-wall", kind="classify", target=Metric.WALL_SECONDS)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Any]:
    store = SqliteStore(tmp_path / "store.sqlite")
    store.insert("tasks", [{"_id": "task-1", "settled": True}, {"_id": "task-2", "settled": False}])
    yield SimpleNamespace(
        store=store, store_address=str(store.path), home=Home(tmp_path), clock=CLOCK, jars=(), mode="services"
    )
    store.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made; an error in the list is raised first."""
    done: list[str] = []
    verdict = {"verdict": "useful", "sentence": "it learned"}
    monkeypatch.setattr("orchestrator.leading.analysis.run_analysis", lambda *_: done.append("learned") or verdict)
    monkeypatch.setattr("analyzer.landing.land", lambda *_, **__: done.append("landed"))
    monkeypatch.setattr("analyzer.report.write_report", lambda *_: done.append("reported"))
    return done


def test_an_analysis_is_made_landed_and_reported_once(parts: Any, made: list[str]) -> None:
    wanted = request_analysis(parts.store, CLOCK, "task-1", WANTED)
    make_analysis(parts, wanted["_id"])
    make_analysis(parts, wanted["_id"])
    assert made == ["learned", "landed", "reported"]
    kept = parts.store.get("analyses", wanted["_id"])
    assert (kept["status"], kept["verdict"], kept["sentence"]) == ("completed", "useful", "it learned")


def test_an_analysis_that_one_analyzer_makes_is_left_to_it_by_others(
    parts: Any, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = request_analysis(parts.store, CLOCK, "task-1", WANTED)
    landing = threading.Event()
    others_done = threading.Event()

    def land(*_: object, **__: object) -> None:
        made.append("landed")
        landing.set()
        assert others_done.wait(60)

    monkeypatch.setattr("analyzer.landing.land", land)
    first = threading.Thread(target=make_analysis, args=(parts, wanted["_id"]))
    first.start()
    assert landing.wait(60)
    make_analysis(parts, wanted["_id"])
    assert made == ["learned", "landed"]
    others_done.set()
    first.join()
    assert made == ["learned", "landed", "reported"]
    assert parts.store.get("analyses", wanted["_id"])["status"] == "completed"
    assert list((parts.home.work / "analyses").iterdir()) == []


@pytest.mark.parametrize(("error", "status"), [(LakeError("no room"), "failed"), (StoreAway("away"), "queued")])
def test_a_failure_is_told_unless_trying_again_can_help(
    parts: Any, made: list[str], monkeypatch: pytest.MonkeyPatch, error: SnipbenchError, status: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("analyzer.landing.land", fail)
    wanted = request_analysis(parts.store, CLOCK, "task-1", WANTED)
    if error.retryable:
        with pytest.raises(StoreAway):
            make_analysis(parts, wanted["_id"])
    else:
        make_analysis(parts, wanted["_id"])
    kept = parts.store.get("analyses", wanted["_id"])
    assert kept["status"] == status
    assert kept["failure"] == (None if error.retryable else {"kind": "LakeError", "message": "no room"})


def test_an_analysis_of_a_task_that_is_none_or_has_not_ended_is_refused(parts: Any) -> None:
    for task_id in ("task-2", "task-3"):
        with pytest.raises(UsageError):
            request_analysis(parts.store, CLOCK, task_id, WANTED)
    for missing in (
        lambda: tasks.cancel(parts.store, CLOCK, "none"),
        lambda: change_task(parts.store, "none", lambda t: t),
    ):
        with pytest.raises(UsageError, match="no task 'none'"):
            missing()

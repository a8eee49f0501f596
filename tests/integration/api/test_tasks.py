"""State, events, cancel, retry, analyses and metrics of tasks over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from orchestrator.client import Client
from orchestrator.client import client as client_module
from orchestrator.leading.lease import TaskLease
from orchestrator.leading.taskbook import TaskBook
from snipbench.clock import SystemClock
from snipbench.domain.event import Stage
from snipbench.domain.run import TaskStatus
from snipbench.errors import ServiceError, StoreAway
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore

from .conftest import FILES, ORDER, Served, serving, settings_for

Submit = Callable[..., httpx.Response]
JSON = {"Content-Type": "application/json"}


def end(served: Served, task_id: str, status: TaskStatus, *stages: Stage) -> None:
    """What a leader would do."""
    with TaskLease.take(served.service.store, SystemClock(), task_id) as lease:
        book = TaskBook.open(served.service.store, SystemClock(), task_id, lease)
        for stage in stages:
            book.log(stage, text="in a test")
        book.finish(status)
        book.settle()


def test_a_task_is_queued_then_cancelled_then_retried(served: Served, submit: Submit) -> None:
    task_id = submit().json()["task_id"]
    with served.client() as client:
        state = client.get(f"/tasks/{task_id}").json()
        assert (state["status"], state["settled"], state["runs_recorded"], state["runs_planned"]) == (
            "queued",
            False,
            0,
            None,
        )
        assert client.post(f"/tasks/{task_id}/cancel").json()["cancel_requested"] is True
        end(served, task_id, TaskStatus.CANCELLED)
        for path, status in (("cancel", 409), ("retry", 202)):
            assert client.post(f"/tasks/{task_id}/{path}").status_code == status
        state = client.get(f"/tasks/{task_id}").json()
        assert (state["status"], state["cancel_requested"], state["settled"]) == ("queued", False, False)
        end(served, task_id, TaskStatus.COMPLETED)
        assert client.post(f"/tasks/{task_id}/retry").status_code == 409
        results = client.get(f"/tasks/{task_id}/results").json()
        assert (results["task_id"], results["status"]) == (task_id, "completed")
        assert client.get(f"/tasks/{task_id}/report").status_code == 404
        for path in ("", "/events", "/results", "/report"):
            assert client.get(f"/tasks/nothing{path}").status_code == 404


def test_a_running_task_cannot_be_retried(served: Served, submit: Submit) -> None:
    task_id = submit().json()["task_id"]
    with TaskLease.take(served.service.store, SystemClock(), task_id), served.client() as client:
        assert client.post(f"/tasks/{task_id}/retry").status_code == 409


def test_others_are_answered_while_the_store_keeps_one_waiting(
    served: Served, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = submit().json()["task_id"]
    asked, go_on = threading.Event(), threading.Event()
    get = SqliteStore.get

    def slow(self: SqliteStore, collection: str, document_id: str) -> Document | None:
        if (collection, document_id) == ("tasks", task_id):
            asked.set()
            assert go_on.wait(60)
        return get(self, collection, document_id)

    with served.client() as client:
        monkeypatch.setattr(SqliteStore, "get", slow)
        results: list[int] = []
        asking = threading.Thread(target=lambda: results.append(client.get(f"/tasks/{task_id}/results").status_code))
        asking.start()
        try:
            assert asked.wait(60)
            assert httpx.get(f"{served.url}/healthz", timeout=10, trust_env=False).status_code == 200
        finally:
            go_on.set()
            asking.join()
    assert results == [200]


def test_events_are_streamed_as_they_come_and_end_with_the_task(served: Served, submit: Submit) -> None:
    task_id = submit().json()["task_id"]

    def lead() -> None:
        time.sleep(0.5)
        end(served, task_id, TaskStatus.COMPLETED, *(stage for stage in Stage if stage > 3))

    leader = threading.Thread(target=lead)
    leader.start()
    with Client(served.url) as client:
        events = list(client.events(task_id))
    leader.join()
    assert [data["stage"] for kind, data in events if kind == "stage"] == list(range(1, 22))
    assert events[-1] == ("end", {"status": "completed", "report": None})


def test_a_stream_is_taken_up_after_the_last_event_seen(served: Served, submit: Submit) -> None:
    task_id = submit().json()["task_id"]
    end(served, task_id, TaskStatus.FAILED, Stage.TASK_STARTED, Stage.CONFIGURATION_LOADED)
    with served.client() as client:
        text = client.get(f"/tasks/{task_id}/events", headers={"Last-Event-ID": "4"}).text
        assert client.get(f"/tasks/{task_id}/events", headers={"Last-Event-ID": "x"}).status_code == 422
    assert [line for line in text.splitlines() if line.startswith("id: ")] == ["id: 5"]
    assert "event: end" in text


def test_whoever_watches_outlives_a_restart_of_the_service_and_a_store_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_WAIT_SECONDS", 0.05)
    settings = settings_for(tmp_path)
    with serving(settings) as first, first.client() as sender:
        task_id = sender.post("/orders", json={"order": ORDER, "files": FILES}).json()["task_id"]
        watching = Client(first.url)
        events = watching.events(task_id)
        seen = [next(events) for _ in range(3)]
    with serving(settings, port=int(first.url.rpartition(":")[2])) as second, watching:
        end(second, task_id, TaskStatus.COMPLETED, Stage.TASK_STARTED)
        away, get = iter(range(3)), SqliteStore.get

        def at_first_away(store: SqliteStore, collection: str, name: str) -> Document | None:
            if collection == "tasks" and next(away, None) is not None:
                raise StoreAway("the store is away")
            return get(store, collection, name)

        monkeypatch.setattr(SqliteStore, "get", at_first_away)
        seen += events
    assert [data.get("sequence", data.get("status")) for _, data in seen] == [1, 2, 3, 4, "completed"]


def test_who_never_reached_the_service_is_told_so_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_WAIT_SECONDS", 0.01)
    with Client("http://127.0.0.1:9") as client, pytest.raises(ServiceError, match="not to be reached"):
        next(client.events("task-1"))


def test_an_analysis_waits_for_the_task_s_end_and_is_rung_for(served: Served, submit: Submit) -> None:
    task_id = submit().json()["task_id"]
    analysis = {"name": "by-wall", "kind": "classify", "target": "wall_seconds"}
    with served.client() as client:
        assert client.post("/analyses", json={"task_id": task_id, "analysis": analysis}).status_code == 409
        end(served, task_id, TaskStatus.COMPLETED)
        half = {**analysis, "tasks": ["\ud800"]}
        assert (
            client.post(
                "/analyses", content=json.dumps({"task_id": "\ud800", "analysis": {}}), headers=JSON
            ).status_code
            == 404
        )
        assert (
            client.post(
                "/analyses", content=json.dumps({"task_id": task_id, "analysis": half}), headers=JSON
            ).status_code
            == 422
        )
        for wrong in ({"kind": "classify"}, {**analysis, "export": "/tmp/x"}, {**analysis, "target": "colour"}):
            assert client.post("/analyses", json={"task_id": task_id, "analysis": wrong}).status_code == 422
        answer = client.post("/analyses", json={"task_id": task_id, "analysis": analysis})
        assert answer.status_code == 202
        assert client.get(answer.headers["location"]).json()["status"] == "queued"
        assert client.get("/analyses/nothing").status_code == 404
    assert ("analyzer", answer.json()["analysis_id"]) in [(work.value, subject) for work, subject in served.bells.rung]


def test_metrics_count_requests_by_route_and_tasks_by_state(served: Served, submit: Submit) -> None:
    task_id = submit().json()["task_id"]
    with served.client() as client:
        client.get(f"/tasks/{task_id}")
        text = client.get("/metrics").text
    assert 'snipbench_http_requests_total{method="GET",route="/tasks/{task_id}",status="200"}' in text
    assert 'snipbench_tasks{status="queued"}' in text
    assert task_id not in text


def test_what_nobody_does_is_rung_for_again(served: Served, submit: Submit) -> None:
    task_id = submit().json()["task_id"]
    served.bells.rung.clear()
    deadline = time.monotonic() + 60
    while all(subject != task_id for _, subject in served.bells.rung):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_client_s_errors_are_ours_and_name_no_token(served: Served) -> None:
    with Client(served.url, "snip_secret") as client, pytest.raises(ServiceError, match="no task 'x'") as told:
        client.get("/tasks/x")
    assert (told.value.status, told.value.exit_code) == (404, 2)
    with Client("http://127.0.0.1:9", "snip_secret") as client, pytest.raises(ServiceError) as away:
        client.get("/tasks/x")
    assert "snip_secret" not in f"{away.value!r}{away.value.__cause__!r}"

"""The report says that all went well only of a task in which it did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.outcome import task_outcome
from analyzer.report import render
from benchmarks.synthetic import write_task
from snipbench import records
from snipbench.domain.order import Order
from snipbench.domain.run import Failure, RunStatus
from snipbench.domain.task import SnippetResult
from snipbench.store.sqlite import SqliteStore

WELL = "Every run ended well, and every variant computed what its baseline did."
ALONE = "Every run ended well."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A task of ``row`` and ``pandas`` in which nothing went wrong."""
    opened = SqliteStore(tmp_path / "store.sqlite")
    write_task(opened, "task-1", samples=0)
    keep_snippets(opened, {"row", "pandas"})
    yield opened
    opened.close()


def keep_snippets(store: SqliteStore, names: set[str]) -> None:
    (document,) = store.find("orders", {})
    record = records.order_from_document(document)
    (experiment,) = record.order.experiments
    kept = tuple(one for one in experiment.snippets if one.name in names)
    order: Order = record.order.model_copy(update={"experiments": (experiment.model_copy(update={"snippets": kept}),)})
    store.delete("orders", {"_id": [document["_id"]]})
    store.insert("orders", [records.order_to_document(replace(record, order=order))])
    for collection in ("runs", "results"):
        gone = [found["_id"] for found in store.find(collection, {}) if found["snippet"] not in names]
        store.delete(collection, {"_id": gone})
    plan = store.get("plans", "task-1")
    assert plan is not None
    read = records.plan_from_document(plan)
    slots = tuple(slot for slot in read.slots if slot.snippet in names)
    store.delete("plans", {"_id": ["task-1"]})
    store.insert("plans", [records.plan_to_document("task-1", replace(read, slots=slots))])


def change_result(store: SqliteStore, snippet: str, **changes: object) -> None:
    for document in list(store.find("results", {"snippet": snippet})):
        result: SnippetResult = replace(records.result_from_document(document), **changes)  # type: ignore[arg-type]
        store.delete("results", {"_id": [document["_id"]]})
        store.insert("results", [records.result_to_document(result)])


def test_a_task_without_a_flaw_says_so(store: SqliteStore) -> None:
    page = render(store, "task-1")
    assert page.count(WELL) == 2


def test_a_snippet_alone_has_no_variant_to_praise(store: SqliteStore) -> None:
    keep_snippets(store, {"row"})
    page = render(store, "task-1")
    assert (page.count(ALONE), page.count("every variant")) == (2, 0)


@pytest.mark.parametrize("snippet", ["row", "pandas"])
def test_a_result_that_could_not_be_had_is_listed(store: SqliteStore, snippet: str) -> None:
    failure = Failure("UnhashableResult", "a generator has no hash")
    change_result(store, snippet, facts=None, comparison=None, failure=failure)
    page = render(store, "task-1")
    assert WELL not in page
    assert "2 results missing, different or changed" in page
    assert "UnhashableResult: a generator has no hash" in page


def test_a_result_that_could_not_be_had_in_a_later_session_is_listed(store: SqliteStore) -> None:
    change_result(store, "pandas", failure=Failure("Timeout", "longer than 60 s"))
    page = render(store, "task-1")
    assert WELL not in page
    assert page.count("result could not be had in a later pass") == 2
    snippets = task_outcome(store, "task-1")["experiments"][0]["snippets"]
    told = next(found for found in snippets if found["name"] == "pandas")
    assert (told["equal_to_baseline"], told["errors"]) == (True, ["result of a later pass: Timeout: longer than 60 s"])


def test_a_variant_that_nobody_compared_is_listed(store: SqliteStore) -> None:
    change_result(store, "pandas", comparison=None)
    uncompared = render(store, "task-1")
    store.delete("results", {"snippet": "pandas"})
    for page in (uncompared, render(store, "task-1")):
        assert WELL not in page
        assert page.count("result not compared") == 2


def test_runs_that_were_not_made_are_counted(store: SqliteStore) -> None:
    store.delete("runs", {"_id": [found["_id"] for found in store.find("runs", {})][:5]})
    page = render(store, "task-1")
    assert WELL not in page
    assert "5 runs not made" in page
    store.delete("runs", {"task_id": "task-1"})
    store.delete("plans", {"_id": ["task-1"]})
    assert "No run was made." in render(store, "task-1")


def test_a_failed_run_is_listed(store: SqliteStore) -> None:
    document = next(iter(store.find("runs", {"phase": "measured"})))
    run = records.run_from_document(document)
    failed = replace(run, outcome=replace(run.outcome, status=RunStatus.TIMEOUT, wall_seconds=None))
    store.delete("runs", {"_id": [document["_id"]]})
    store.insert("runs", [records.run_to_document(failed)])
    page = render(store, "task-1")
    assert WELL not in page
    assert "1 failed run," in page

"""Domain values survive the way into a document and back, and documents keep the store's rules."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from snipbench.domain.event import Event, Stage
from snipbench.domain.order import Database, Experiment, Kind, Order, Snippet, Spark, Table, Tpch
from snipbench.domain.plan import Phase, Plan, Slot
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.domain.run import Cost, Counters, Failure, Run, RunMemory, RunOutcome, RunStatus, TaskStatus
from snipbench.domain.task import Environment, Lease, OrderRecord, SnippetResult, Task
from snipbench.records import (
    AttemptReason,
    attempt_to_document,
    environment_from_document,
    environment_to_document,
    event_from_document,
    event_to_document,
    order_from_document,
    order_to_document,
    parameters_from_text,
    parameters_to_text,
    plan_from_document,
    plan_to_document,
    result_from_document,
    result_to_document,
    run_from_document,
    run_id,
    run_to_document,
    sample_to_document,
    task_from_document,
    task_to_document,
)

AT = "2026-01-31T09:00:00.000001Z"
PARAMETERS = (("exact", True), ("fraction", 1.0), ("limit", 15_000), ("word", "a.b$"))

RUN = Run(
    task_id="task-1",
    slot_id="slot-1",
    attempt=2,
    experiment="exchange",
    snippet="pandas",
    parameters=PARAMETERS,
    phase=Phase.MEASURED,
    repetition=3,
    block="block-3",
    position=17,
    outcome=RunOutcome(
        status=RunStatus.FAILED,
        session_id="session-1",
        started_at=AT,
        ended_at=AT,
        wall_seconds=None,
        failure=Failure("ValueError", "no", "Traceback"),
        costs=(Cost("executor", 0.25, None, None, None, 12, 5, "rss", "process", too_short=True),),
        memory=RunMemory(1, 2, None),
        spark={"gc_seconds": 0.5, "shuffle_read_bytes": 7, "spill_bytes": None},
        overhead_seconds={"hash": 0.25},
        output_tail="bye",
        output_bytes=3,
    ),
    clone_id="clone-1",
    result_hash="ab",
)


def keeps_the_rules(value: Any) -> bool:
    """Whether the store's rules for documents hold (snipbench.store.port)."""
    if isinstance(value, dict):
        return all("." not in key and not key.startswith("$") and keeps_the_rules(item) for key, item in value.items())
    if isinstance(value, list):
        return all(keeps_the_rules(item) for item in value)
    return value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def through_json(document: dict[str, Any]) -> dict[str, Any]:
    assert keeps_the_rules(document)
    assert isinstance(document["_id"], str)
    loaded: dict[str, Any] = json.loads(json.dumps(document))
    return loaded


def test_parameters_keep_their_types_and_equal_points_have_equal_text() -> None:
    text = parameters_to_text(PARAMETERS)
    assert text == '{"exact":true,"fraction":1.0,"limit":15000,"word":"a.b$"}'
    back = parameters_from_text(text)
    assert [(name, type(value)) for name, value in back] == [(name, type(value)) for name, value in PARAMETERS]
    assert back == PARAMETERS


def test_a_run_comes_back_equal() -> None:
    document = through_json(run_to_document(RUN))
    assert document["_id"] == run_id("task-1", "slot-1")
    assert document["status"] == "failed"
    assert run_from_document(document) == RUN


def test_values_that_are_no_numbers_are_stored_as_missing() -> None:
    run = replace(RUN, outcome=replace(RUN.outcome, spark={"rows_per_second": math.nan}))
    assert run_from_document(through_json(run_to_document(run))).outcome.spark == {"rows_per_second": None}


def test_a_run_without_a_slot_is_an_attempt_only() -> None:
    warmup = replace(RUN, slot_id=None, phase=Phase.WARMUP, block=None)
    with pytest.raises(ValueError, match="attempt"):
        run_to_document(warmup)
    document = through_json(attempt_to_document(warmup, AttemptReason.REPEATED_WARMUP))
    assert document["reason"] == "repeated_warmup"
    assert run_from_document(document) == warmup


def test_attempts_of_one_slot_have_different_ids() -> None:
    again = replace(RUN, attempt=3)
    ids = {
        attempt_to_document(run, reason)["_id"]
        for run in (RUN, again)
        for reason in (AttemptReason.INTERRUPTED, AttemptReason.BLOCK_CUT)
    }
    assert len(ids) == 4


def test_a_plan_comes_back_equal_and_in_order() -> None:
    slots = tuple(
        Slot(f"slot-{n}", n, "exchange", "row", PARAMETERS, phase, n, 0, None if phase is Phase.WARMUP else f"b{n}")
        for n, phase in enumerate((Phase.WARMUP, Phase.MEASURED, Phase.MEASURED))
    )
    plan = Plan("hash", slots, (("shop", "abc"),))
    assert plan_from_document(through_json(plan_to_document("task-1", plan))) == plan


def test_an_event_comes_back_equal_and_ids_sort_as_the_log() -> None:
    events = [
        Event("task-1", 9, AT, "database ready", Stage.DATABASE_READY, experiment="exchange", data={"port": 1}),
        Event("task-1", 10, AT, "new session", None, status="lost", slot_id="slot-1", text="killed"),
    ]
    documents = [through_json(event_to_document(event)) for event in events]
    assert [event_from_document(document) for document in documents] == events
    assert documents[0]["_id"] < documents[1]["_id"]


def test_there_are_21_stages_with_names() -> None:
    assert [int(stage) for stage in Stage] == list(range(1, 22))
    assert Stage.DATABASE_READY.title == "database ready"


def test_a_task_comes_back_equal_with_the_version_of_the_store() -> None:
    task = Task(
        task_id="task-1",
        order_id="order-1",
        order_name="add-one",
        status=TaskStatus.RUNNING,
        requested_at=AT,
        seed=7,
        failure=Failure("X", "y"),
        lease=Lease("host:1", 3, AT),
    )
    document = through_json(task_to_document(task))
    assert "version" not in document
    assert task_from_document(document | {"version": 4}) == replace(task, version=4)


def test_an_order_comes_back_equal() -> None:
    order = Order(
        name="add-one",
        spark=Spark(conf={"spark.sql.shuffle.partitions": 4}),
        databases=(Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01)),),
        experiments=(
            Experiment(
                name="exchange",
                database="shop",
                tables=(Table(name="lineitem"),),
                parameters={"limit": (1, 2)},
                snippets=(Snippet(name="row", kind=Kind.SQL, code="select 1", template="row"),),
            ),
        ),
    )
    record = OrderRecord("order-1", "order.yaml", "name: add-one", order, AT, {"seed": 3})
    assert order_from_document(through_json(order_to_document(record))) == record


@pytest.mark.parametrize("failed", [False, True])
def test_a_result_comes_back_equal(failed: bool) -> None:
    facts = ResultFacts("ab", 10, (("a", "double"),), ("a",), ("a ASC",))
    comparison = Comparison(Equality.EQUAL_WITHIN_TOLERANCE, "floats", ("1 | 2",))
    result = SnippetResult(
        task_id="task-1",
        experiment="exchange",
        snippet="pandas",
        parameters=PARAMETERS,
        baseline="row",
        clone_id="clone-1",
        facts=None if failed else facts,
        comparison=None if failed else comparison,
        changed_hashes=("cd",),
        failure=Failure("E", "m") if failed else None,
    )
    assert result_from_document(through_json(result_to_document(result))) == result


def test_an_environment_comes_back_equal_and_its_id_is_its_content() -> None:
    facts = {"spark": {"spark.sql.ansi.enabled": True}, "cpu": {"model": "x", "steal": None}}
    environment = Environment(facts, AT)
    assert environment_from_document(through_json(environment_to_document(environment))) == environment
    assert environment.environment_id == Environment(facts, "later").environment_id
    assert environment.environment_id != Environment({"cpu": {"model": "y"}}, AT).environment_id
    busy = Environment(facts | {"moment": {"load": 3.0}}, AT)
    assert busy.environment_id != environment.environment_id
    assert busy.fingerprint == environment.fingerprint


def test_a_sample_is_one_flat_document_whose_id_is_its_place_in_the_stream() -> None:
    counters = Counters(AT, 1.0, 0.5, None, 5, "rss", None, None, "proc_io", 2, 3, 0.01)
    document = through_json(
        sample_to_document(
            counters,
            task_id="task-1",
            experiment="exchange",
            target="database:shop",
            stream_id="stream-1",
            sequence=7,
            source="process",
        )
    )
    assert document["_id"] == "task-1:stream-1:database:shop:000000007"
    assert (document["at"], document["cpu_seconds"], document["memory_bytes"]) == (AT, None, 5)

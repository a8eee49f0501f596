"""A made-up task, written into a store as a leader writes a real one; for benchmarks and tests of what comes after."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator.planning import make_plan
from snipbench import records
from snipbench.clock import to_text
from snipbench.domain.event import Event, Stage
from snipbench.domain.order import Database, Experiment, Kind, Order, Role, Snippet, Table, Tpch
from snipbench.domain.plan import Phase, Slot
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.domain.run import Cost, Counters, Failure, Run, RunMemory, RunOutcome, RunStatus, TaskStatus
from snipbench.domain.task import Environment, OrderRecord, SnippetResult, Task
from snipbench.store.port import Document, DocumentStore

START = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
FACTORS = {"row": 1.0, "pandas": 0.4, "same": 1.0, "broken": 1.0}
"""Wall time of each snippet relative to ``row``."""


def synthetic_order(repetitions: int = 12) -> Order:
    """One experiment: a baseline, a faster variant, an equal one, one that always fails; two parameter points."""
    row = Snippet(name="row", kind=Kind.PYTHON_UDF, code="def run(x):\n    return x + 1\n", template="row")
    variants = [
        row.model_copy(update={"name": name, "kind": kind, "variant_of": "row", "role": Role.VARIANT})
        for name, kind in (("pandas", Kind.PANDAS_UDF), ("same", Kind.SQL), ("broken", Kind.SQL))
    ]
    return Order(
        name="synthetic",
        seed=7,
        databases=(Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01)),),
        experiments=(
            Experiment(
                name="exchange",
                database="shop",
                tables=(Table(name="lineitem"),),
                warmups=1,
                repetitions=repetitions,
                parameters={"limit": (10, 20)},
                snippets=(row, *variants),
            ),
        ),
    )


def write_task(
    store: DocumentStore, task_id: str, *, repetitions: int = 12, samples: int = 100, slowdown: float = 1.0
) -> Task:
    """Write a finished task with all that belongs to it; the same arguments give the same documents.

    Args:
        store: where to.
        task_id: its id; the order's is derived from it.
        repetitions: measured runs of each snippet at each parameter point.
        samples: how many samples its monitoring gave.
        slowdown: factor on every wall time.
    """
    random_numbers = random.Random(task_id)
    order = synthetic_order(repetitions)
    plan = make_plan(order, {"shop": "d" * 64})
    environment = Environment({"cpu": {"model": "made up", "count": 2}, "libraries": {"pyspark": "4.1.4"}}, _at(0))
    runs = [_run(task_id, slot, random_numbers, slowdown) for slot in plan.slots]
    task = Task(
        task_id=task_id,
        order_id=f"order-of-{task_id}",
        order_name=order.name,
        status=TaskStatus.PARTLY_FAILED,
        requested_at=_at(0),
        plan_hash=plan.plan_hash,
        seed=order.seed,
        started_at=_at(1),
        ended_at=_at(len(runs) + 1),
        environment_id=environment.environment_id,
    )
    record = OrderRecord(task.order_id, "synthetic.yaml", "name: synthetic\n", order, _at(0), {"seed": 7})
    store.insert("orders", [records.order_to_document(record)])
    store.replace("tasks", records.task_to_document(task), expected_version=None)
    store.insert("plans", [records.plan_to_document(task_id, plan)])
    store.insert("environments", [records.environment_to_document(environment)])
    store.insert("runs", [records.run_to_document(run) for run in runs])
    repeated = replace(runs[0], slot_id=None)
    store.insert("attempts", [records.attempt_to_document(repeated, records.AttemptReason.REPEATED_WARMUP)])
    store.insert("results", [records.result_to_document(result) for result in _results(task_id, order)])
    store.insert("events", [records.event_to_document(event) for event in _events(task_id)])
    for batch in _batches(_samples(task_id, samples), 10_000):
        store.insert("samples", batch)
    return task


def _run(task_id: str, slot: Slot, random_numbers: random.Random, slowdown: float) -> Run:
    parameters = dict(slot.parameters)
    wall = 0.01 * int(parameters["limit"]) * FACTORS[slot.snippet] * random_numbers.lognormvariate(0, 0.03) * slowdown
    failed = slot.snippet == "broken"
    outcome = RunOutcome(
        status=RunStatus.FAILED if failed else RunStatus.OK,
        session_id="session-1",
        started_at=_at(slot.position + 1),
        ended_at=_at(slot.position + 1 + wall),
        wall_seconds=None if failed else wall,
        failure=Failure("ValueError", "it is broken", "Traceback …") if failed else None,
        costs=(
            _cost("executor", 1.5 * wall),
            replace(_cost("database:shop", 0.01), too_short=True),
        ),
        memory=RunMemory(2_000_000, 300_000_000, 80_000_000),
        spark={"executor_run_seconds": wall, "shuffle_read_bytes": 0, "spill_bytes": None},
        overhead_seconds={"hash": 0.002},
    )
    result_hash = None if failed or slot.phase is Phase.WARMUP else "a" * 64
    return Run.of_slot(slot, task_id, 1, outcome, "clone-1", result_hash)


def _cost(target: str, cpu: float) -> Cost:
    return Cost(target, cpu, 0.9 * cpu, 0.1 * cpu, 4096, 0, 500_000_000, "rss", "process")


def _results(task_id: str, order: Order) -> Iterator[SnippetResult]:
    for experiment in order.experiments:
        for limit in experiment.parameters["limit"]:
            for snippet in experiment.snippets:
                failed = snippet.name == "broken"
                variant = snippet.variant_of is not None and not failed
                yield SnippetResult(
                    task_id=task_id,
                    experiment=experiment.name,
                    snippet=snippet.name,
                    parameters=(("limit", limit),),
                    baseline=snippet.baseline,
                    clone_id="clone-1",
                    facts=None if failed else ResultFacts("a" * 64, int(limit), (("x", "double"),)),
                    comparison=Comparison(Equality.EQUAL, "hashes are equal") if variant else None,
                    failure=Failure("ValueError", "it is broken") if failed else None,
                )


def _events(task_id: str) -> Iterator[Event]:
    for sequence, stage in enumerate(Stage, start=1):
        yield Event(task_id, sequence, _at(sequence), stage.title, stage, data={"n": sequence})


def _samples(task_id: str, count: int) -> Iterator[Document]:
    """Alternating over two targets, 20 a second each."""
    random_numbers = random.Random(count)
    used = {"executor": 0.0, "database:shop": 0.0}
    for number in range(count):
        target = ("executor", "database:shop")[number % 2]
        used[target] += random_numbers.random() / 20
        counters = Counters(
            at=_at(1 + number // 2 * 0.05),
            cpu_user_seconds=0.9 * used[target],
            cpu_system_seconds=0.1 * used[target],
            cpu_seconds=used[target],
            memory_bytes=random_numbers.randrange(1, 2**31),
            memory_definition="rss",
            read_bytes=4096 * number,
            write_bytes=None if target == "executor" else 512 * number,
            io_definition="proc_io",
            processes=3,
            threads=40,
            cpu_resolution_seconds=0.01,
        )
        yield records.sample_to_document(
            counters,
            task_id=task_id,
            experiment="exchange",
            target=target,
            stream_id="stream-1",
            sequence=number // 2,
            source="process",
        )


def _batches(documents: Iterator[Document], size: int) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _at(seconds: float) -> str:
    return to_text(START + timedelta(seconds=seconds))

"""A finished task in a real store, as the report's tests show it: every document of it made by the code that makes it
for real tasks; only the times, costs and errors are made up, always the same."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analyzer.models.classify import run_classify
from orchestrator.environment import library_versions, machine_facts, moment_facts
from orchestrator.orders.read import parse_order
from orchestrator.planning import make_plan
from snipbench import records
from snipbench.clock import SystemClock, to_text
from snipbench.domain.analysis import Classify
from snipbench.domain.event import Event, Stage
from snipbench.domain.order import Order, Snippet
from snipbench.domain.plan import Parameters, Phase, Plan, Slot, parameter_points
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.domain.run import Cost, Counters, Failure, Run, RunMemory, RunOutcome, RunStatus, TaskStatus
from snipbench.domain.task import Environment, OrderRecord, SnippetResult, Task
from snipbench.identity import content_hash
from snipbench.store.sqlite import SqliteStore
from tests.integration.report.shown_suggestions import write_suggestions

TASK_ID = "task-20260131-090000-5407ed"
HERE = Path(__file__).parent
CONFIGS = HERE.parents[2] / "configs"
START = datetime(2026, 1, 31, 9, tzinfo=UTC)
SECONDS = {
    "row": 0.37,
    "row.input": 0.077,
    "arrow-row": 0.31,
    "pandas": 0.3,
    "arrow": 0.24,
    "native": 0.075,
    "pricing-sql": 0.9,
    "pricing-dataframe": 0.905,
    "shipping-sql": 0.62,
    "shipping-dataframe": 0.8,
    "revenue-sql": 0.05,
    "revenue-dataframe": 0.02,
    "promotion-sql": 0.11,
    "promotion-dataframe": 0.12,
    "wrong": 0.004,
    "unsure": 0.03,
    "microseconds": 2.1e-5,
    "microseconds-again": 2.4e-5,
    "loop": 41.0,
    "list": 33.0,
}
"""Median wall seconds; 10 ms for any other snippet."""
NOISE = {"arrow-row": 0.5, "shipping-dataframe": 0.3, "pricing-sql": 0.01, "pricing-dataframe": 0.01}
"""Spread of the logarithm; 0.06 for any other snippet."""


def write_shown_task(store: SqliteStore, folder: Path) -> str:
    """Write the task with all that belongs to it, train its models into ``folder``; returns its id."""
    text = (HERE / "order.yaml").read_text("utf-8")
    order = parse_order(text, base=CONFIGS).order
    plan = make_plan(order, {"shop": "d" * 64})
    environment = Environment(
        {
            "machine": machine_facts(),
            "libraries": library_versions(),
            "spark": {"version": "4.1.4", "spark.sql.shuffle.partitions": "4", "spark.sql.session.timeZone": "UTC"},
            "moment": moment_facts(),
        },
        to_text(START),
    )
    record = OrderRecord("order-20260131-5407ed", "order.yaml", text, order, to_text(START))
    runs = _runs(order, plan)
    ended = max(run.outcome.ended_at for run in runs)
    task = Task(
        TASK_ID,
        record.order_id,
        order.name,
        TaskStatus.PARTLY_FAILED,
        to_text(START),
        plan_hash=plan.plan_hash,
        seed=order.seed,
        started_at=to_text(START),
        ended_at=ended,
        environment_id=environment.environment_id,
    )
    store.insert("orders", [records.order_to_document(record)])
    store.replace("tasks", records.task_to_document(task), expected_version=None)
    store.insert("plans", [records.plan_to_document(TASK_ID, plan)])
    store.insert("environments", [records.environment_to_document(environment)])
    store.insert("runs", [records.run_to_document(run) for run in runs])
    store.insert("results", [records.result_to_document(found) for found in _results(order)])
    store.insert("events", [records.event_to_document(event) for event in _events(order)])
    for experiment in order.experiments:
        mine = [run for run in runs if run.experiment == experiment.name]
        store.insert("samples", _samples(experiment.name, mine))
    for analysis in order.analyses:
        if isinstance(analysis, Classify):
            run_classify(store, folder, TASK_ID, analysis, clock=SystemClock(), seed=order.seed)
    write_suggestions(store, TASK_ID)
    return TASK_ID


WATCHED = {"written": 800, "seconds": 200.0, "cpu_seconds": 0.5, "dropped": 0, "lost": 3, "left": 0, "spooled": 40}
"""What the monitor told of each experiment, as far as the report shows it."""


def _runs(order: Order, plan: Plan) -> list[Run]:
    noise = random.Random(5)
    at = START + timedelta(seconds=20)
    runs = []
    for slot in plan.slots:
        kind = order.experiment(slot.experiment).snippet(slot.snippet).kind
        size = dict(slot.parameters).get("max_orderkey", 30000)
        wall = SECONDS.get(slot.snippet, 0.01) * (int(size) / 30000 if slot.snippet != "native" else 1.6)
        wall *= noise.lognormvariate(0, NOISE.get(slot.snippet, 0.06)) * (2.5 if noise.random() < 0.04 else 1)
        outcome = _outcome(slot, wall, at, python="udf" in kind.value)
        runs.append(_run(slot, outcome))
        at += timedelta(seconds=wall + 0.03)
    return runs


def _outcome(slot: Slot, wall: float, at: datetime, *, python: bool) -> RunOutcome:
    failure, status = None, RunStatus.OK
    if slot.snippet == "raises" or (slot.snippet == "raises-sometimes" and slot.repetition == 3):
        trace = 'Traceback (most recent call last):\n  File "<snippet>", line 2, in run\nValueError: <b>not bold</b>'
        message = "<b>not bold</b> & not a link: https://example.org/ " + "x" * 300
        failure, status = Failure("ValueError", message, trace), RunStatus.FAILED
    if slot.snippet == "promotion-dataframe" and slot.repetition == 9:
        failure, status = Failure("Timeout", "the run took longer than 60 s"), RunStatus.TIMEOUT
    engine = Cost("executor", 1.2 * wall, wall, 0.2 * wall, 0, 4096, 900_000_000, "pss", "process")
    database = Cost("database:shop", 0.1 * wall, 0.1 * wall, 0.0, 8192, 0, 40_000_000, "rss", "process", wall < 0.02)
    return RunOutcome(
        status=status,
        session_id="session-1",
        started_at=to_text(at),
        ended_at=to_text(at + timedelta(seconds=wall)),
        wall_seconds=wall,
        failure=failure,
        costs=(engine, database),
        memory=RunMemory(0, 210_000_000 + int(wall * 1e8), 95_000_000 if python else None),
    )


def _run(slot: Slot, outcome: RunOutcome) -> Run:
    return Run(
        task_id=TASK_ID,
        slot_id=slot.slot_id,
        attempt=1,
        experiment=slot.experiment,
        snippet=slot.snippet,
        parameters=slot.parameters,
        phase=slot.phase,
        repetition=slot.repetition,
        block=slot.block,
        position=slot.position,
        outcome=outcome,
        clone_id="clone-1",
        result_hash=None if slot.phase is Phase.WARMUP else "0" * 32,
    )


def _results(order: Order) -> list[SnippetResult]:
    return [
        _result(experiment.name, snippet, point)
        for experiment in order.experiments
        for snippet in experiment.snippets
        for point in parameter_points(experiment)
    ]


def _result(experiment: str, snippet: Snippet, point: Parameters) -> SnippetResult:
    computed = snippet.name if snippet.name in {"wrong", "unsure"} else snippet.baseline
    facts = ResultFacts(content_hash([experiment, computed, point], length=32), 1000, (("s", "int"),))
    comparison = Comparison(Equality.EQUAL, "equal hashes")
    if snippet.name == "wrong":
        rows = tuple(f"only in {side}: (s={5 + (side == 'wrong')})" for side in ("other-result", "wrong"))
        comparison = Comparison(Equality.DIFFERENT, "2 of 1000 rows differ", rows)
    if snippet.name == "unsure":
        comparison = Comparison(Equality.INCONCLUSIVE, "several rows could be matched in more than one way")
    result = SnippetResult(TASK_ID, experiment, snippet.name, point, snippet.baseline, "clone-1", facts, comparison)
    if snippet.name.startswith("raises"):
        return replace(result, facts=None, comparison=None, failure=Failure("ValueError", "not computed"))
    if snippet.baseline == snippet.name:
        return replace(result, comparison=None)
    if snippet.name == "revenue-dataframe":
        return replace(result, changed_hashes=("ab" * 16,))
    return result


def _events(order: Order) -> list[Event]:
    stages = [(stage, None) for stage in Stage if stage < Stage.DATABASE_REQUESTED]
    for experiment in order.experiments:
        stages += [(stage, experiment.name) for stage in Stage if 6 <= stage <= 18]
    return [
        Event(
            TASK_ID,
            number,
            to_text(START + timedelta(seconds=number)),
            stage.title,
            stage,
            experiment=experiment,
            data=WATCHED if stage is Stage.MONITORING_STOPPED else {},
        )
        for number, (stage, experiment) in enumerate(stages, 1)
    ]


def _samples(experiment: str, runs: list[Run]) -> list[dict[str, object]]:
    """Half a second apart while the experiment ran; the database's stream ends early, as when it died."""
    instants = [datetime.fromisoformat(run.outcome.started_at) for run in runs]
    start, seconds = min(instants), (max(instants) - min(instants)).total_seconds() + 1
    noise, documents, used = random.Random(experiment), [], {"executor": 5.0, "database:shop": 0.4}
    for number in range(min(int(seconds * 2), 400)):
        for target in tuple(used):
            if target != "executor" and number > seconds * 1.4:
                continue
            used[target] += noise.uniform(0.3, 0.9) if target == "executor" else noise.uniform(0, 0.15)
            level = 1.1e9 + number * 1e6 if target == "executor" else 4e7
            counters = Counters(
                at=to_text(start + timedelta(seconds=number / 2)),
                cpu_user_seconds=used[target],
                cpu_system_seconds=0.0,
                cpu_seconds=used[target],
                memory_bytes=int(level),
                memory_definition="pss",
                read_bytes=0,
                write_bytes=0,
                io_definition="proc_io",
                processes=3,
                threads=40,
            )
            documents.append(
                records.sample_to_document(
                    counters,
                    task_id=TASK_ID,
                    experiment=experiment,
                    target=target,
                    stream_id=f"stream-{experiment}",
                    sequence=number,
                    source="process",
                )
            )
    return documents

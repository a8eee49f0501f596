"""What a run on a warm session costs beyond the snippet itself, and what a session per run would cost instead."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from time import perf_counter

from benchmarks.result import Goal, Row
from benchmarks.spark_session import Place, call, place
from executor.calls import SnippetCall
from executor.engine import Engine
from snipbench.domain.run import RunOutcome
from snipbench.statistics import median_interval

WARMUPS = 8
RUNS = 40
COLD = 3
BEYOND = Goal(at_most=0.030)
GAIN = Goal(at_least=50)

INPUT = "select cast(l_quantity as double) from lineitem where l_orderkey <= 100"
CALLS = (
    call("sql", "select count(*) from orders where o_orderkey <= 100"),
    call("python_udf", "def run(value):\n    return value + 1", input=INPUT, returns="double"),
    call("function", "def run(frame):\n    return frame.iloc[:, 0].sum()", input=INPUT),
)


def run() -> Sequence[Row]:
    """Rows for the cost beyond the snippet by stage, then for warm against cold."""
    with place() as where:
        cold = [_cold(where) for _ in range(COLD)]
        with where.session() as engine:
            rows: list[Row] = []
            warm: list[float] = []
            for each in CALLS:
                seconds, found = _warm(where, engine, each)
                rows += found
                warm += seconds if each is CALLS[0] else []
    gain = median(cold) / median(warm)
    note = (
        f"median of {COLD} cold {median(cold):.2f} s, of {len(warm)} warm {median(warm):.4f} s; start, views, run, stop"
    )
    return (*rows, Row("a session per run against a warm session (sql)", gain, "×", GAIN, note))


def _cold(where: Place) -> float:
    begun = perf_counter()
    with where.session() as engine:
        _run(where, engine, CALLS[0])
    return perf_counter() - begun


def _warm(where: Place, engine: Engine, each: SnippetCall) -> tuple[list[float], list[Row]]:
    """``(seconds per run, rows)``."""
    for _ in range(WARMUPS):
        _run(where, engine, each)
    totals, outcomes, views = [], [], []
    for _ in range(RUNS):
        begun = perf_counter()
        where.prepare(engine)
        views.append(perf_counter() - begun)
        outcomes.append(_run(where, engine, each))
        totals.append(perf_counter() - begun)
    beyond = [total - (outcome.wall_seconds or 0.0) for total, outcome in zip(totals, outcomes, strict=True)]
    stages = {"views": median(views)} | {
        name: median(outcome.overhead_seconds[name] for outcome in outcomes) for name in outcomes[0].overhead_seconds
    }
    shares = ", ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in stages.items() if seconds >= 0.00005)
    found = median_interval(beyond)
    note = f"median of {RUNS}, 95 % {found.low:.4f} to {found.high:.4f}; by stage in ms: {shares}"
    return totals, [Row(f"a warm run beyond the snippet ({each.snippet.kind.value})", found.median, "s", BEYOND, note)]


def _run(where: Place, engine: Engine, each: SnippetCall) -> RunOutcome:
    outcome = engine.run(each, timeout_seconds=60, targets=[engine.target, where.database.target])
    if outcome.failure is not None:
        raise RuntimeError(f"{outcome.failure.kind}: {outcome.failure.message}")
    return outcome

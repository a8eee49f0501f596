"""CPU seconds of a known burst in a real UDF worker, as runs are bracketed, against ``getrusage`` in that worker."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import psutil

from benchmarks.result import Goal, NotMeasured, Row
from benchmarks.spark_session import call, place
from executor.engine import Engine
from snipbench.resources.port import Target

WARMUPS = 6
BURSTS = 15
SECONDS = 0.25
GOAL = Goal(at_most=5.0)

BURN = """
import gc, os, resource, time

def used():
    told = resource.getrusage(resource.RUSAGE_SELF)
    return told.ru_utime + told.ru_stime

def run(value):
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        pass
    gc.freeze()
    print("burnt", os.getpid(), used(), flush=True)
    return value
""".replace("SECONDS", str(SECONDS))


def run() -> Sequence[Row]:
    """The largest error in percent: for a worker that lives on, and for one that a LIMIT's unread rows end.

    The worker tells its use since its birth at the end of each burst. Between two bursts it does what a worker does
    for a run besides calling the function, and that belongs to the run as well; all but the collection of garbage,
    which comes when Spark has its rows already, and which freezing makes short.
    """
    with place() as where, where.session() as engine:
        return (
            _row(engine, "that lives on", "select o_orderkey from orders where o_orderkey = 1", GOAL),
            _row(engine, "that ends with the run", "select o_orderkey from orders limit 1", None),
        )


def _row(engine: Engine, which: str, text: str, goal: Goal | None) -> Row:
    burn = call("python_udf", BURN, input=text, returns="int")
    used: dict[int, float] = {}
    errors: list[float] = []
    for number in range(WARMUPS + BURSTS):
        outcome = engine.run(burn, timeout_seconds=60, targets=_daemons(engine))
        told = [line.split() for line in outcome.output_tail.splitlines() if line.startswith("burnt")]
        measured = [cost.cpu_seconds for cost in outcome.costs if cost.cpu_seconds is not None]
        if len(told) != 1 or len(measured) != len(outcome.costs):
            raise NotMeasured(f"a run told {told} and was measured as {outcome.costs}: {outcome.failure}")
        pid, total = int(told[0][1]), float(told[0][2])
        truth = total - used.get(pid, 0.0)
        used[pid] = total
        if number >= WARMUPS:
            errors.append(abs(sum(measured) / truth - 1) * 100)
    note = f"{BURSTS} bursts of {SECONDS} s, median {median(errors):.2f} %"
    return Row(f"CPU of a burst in a UDF worker {which}, largest error", max(errors), "%", goal, note)


def _daemons(engine: Engine) -> list[Target]:
    """The processes that fork the session's Python workers: the JVM's living children."""
    (jvm,) = psutil.Process(engine.target.pid).children()
    living = [child for child in jvm.children() if child.status() != psutil.STATUS_ZOMBIE]
    return [Target(f"daemon:{child.pid}", pid=child.pid) for child in living]

"""What watching does to the runs that are watched: blocks of one side with the monitor and two without.

The two without are the control: where the interval of their ratio excludes 1, nothing may be said of the monitor. Each
of the six orders in a block comes equally often, in random sequence. Every side comes after the same work: a monitor
that was started, and stopped again where the side is not to be watched. Takes some six minutes on two cores.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.monitored import HERTZ, monitored
from benchmarks.result import Row
from benchmarks.spark_session import QUERY, Place, call, place
from executor.calls import SnippetCall
from executor.engine import Engine
from monitor.summary import MonitorSummary
from snipbench.statistics import RatioResult, against_floor, paired_ratio

WARMUPS = 40
BLOCKS = 60
"""As many as a control needs before claims are weighed against it; a multiple of the six orders."""
RUNS = 2
"""Of a side, one after the other: single runs of some 0.2 s differ by 20 % from one to the next."""
SEED = 7
SIDES = ("watched", "unwatched", "control")

SNIPPETS = (
    QUERY,
    call(
        "python_udf",
        "def run(quantity):\n    return quantity + 1.0",
        input="select cast(l_quantity as double) as quantity from lineitem",
        returns="double",
    ),
)


def run() -> Sequence[Row]:
    """The paired ratio with its exact interval, and that of the control."""
    with place() as where, where.session() as engine, TemporaryDirectory() as folder:
        return [row for each in SNIPPETS for row in _rows(where, engine, each, Path(folder))]


def _rows(where: Place, engine: Engine, each: SnippetCall, folder: Path) -> Iterator[Row]:
    kind = each.snippet.kind.value
    for _ in range(WARMUPS):
        _run(where, engine, each)
    orders = [*permutations(SIDES)] * (BLOCKS // 6)
    random.Random(SEED).shuffle(orders)
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    firsts: list[tuple[float, float]] = []
    summaries: list[MonitorSummary] = []
    for number, order in enumerate(orders):
        for side in order:
            path = folder / f"{kind}-{number}-{side}.sqlite"
            with monitored([engine.target, where.database.target], path, watched=side == "watched") as summary:
                times[side].append(sum(_run(where, engine, each) for _ in range(RUNS)))
            summaries += summary
        firsts.append((times[order[0]][-1], times[order[-1]][-1]))
    control = paired_ratio(list(zip(times["control"], times["unwatched"], strict=True)))
    cost = against_floor(paired_ratio(list(zip(times["watched"], times["unwatched"], strict=True))), control)
    place_in_block = paired_ratio(firsts)
    read = sum(summary.read for summary in summaries)
    share = sum(summary.cpu_seconds for summary in summaries) / sum(summary.seconds for summary in summaries)
    yield Row(f"{kind}: wall time watched at {HERTZ} Hz over unwatched", cost.median, "×", note=_interval(cost))
    yield Row(f"{kind}: unwatched over unwatched, the control", control.median, "×", note=_interval(control))
    yield Row(f"{kind}: first side of a block over last", place_in_block.median, "×", note=_interval(place_in_block))
    yield Row(
        f"{kind}: CPU of the monitor's threads while it watched",
        100 * share,
        "% of a core",
        note=f"{read} samples of 2 targets, with starting and stopping for each {RUNS} runs",
    )


def _interval(ratio: RatioResult) -> str:
    low, high = (f"{bound:.4f}" if bound is not None else "not known" for bound in (ratio.low, ratio.high))
    return f"{ratio.pairs} pairs; 95 % interval of the median ratio {low} to {high}: {ratio.verdict.value}"


def _run(where: Place, engine: Engine, each: SnippetCall) -> float:
    outcome = engine.run(each, timeout_seconds=60, targets=[engine.target, where.database.target])
    if outcome.failure is not None or outcome.wall_seconds is None:
        raise RuntimeError(f"the run failed: {outcome.failure}")
    return outcome.wall_seconds

"""What watching does to the runs that are watched: pairs of a run with the monitor and one without, in random order."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.result import Row
from benchmarks.spark_session import Place, call, place
from executor.calls import SnippetCall
from executor.engine import Engine
from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.sources import choose_source
from monitor.summary import MonitorSummary
from snipbench.statistics import RatioResult, paired_ratio
from snipbench.store.sqlite import SqliteStore

HERTZ = 20
WARMUPS = 15
PAIRS = 40
SEED = 7

SNIPPETS = (
    call("sql", "select l_returnflag, sum(l_extendedprice * (1 - l_discount)) from lineitem group by l_returnflag"),
    call(
        "python_udf",
        "def run(quantity):\n    return quantity + 1.0",
        input="select cast(l_quantity as double) as quantity from lineitem",
        returns="double",
    ),
)


def run() -> Sequence[Row]:
    """The paired ratio with its exact interval, and that of pairs of two runs without a monitor beside it."""
    with place() as where, where.session() as engine, TemporaryDirectory() as folder:
        return [row for each in SNIPPETS for row in _rows(where, engine, each, Path(folder))]


def _rows(where: Place, engine: Engine, each: SnippetCall, folder: Path) -> Iterator[Row]:
    kind, chance = each.snippet.kind.value, random.Random(SEED)
    for _ in range(WARMUPS):
        _run(where, engine, each)
    times: dict[str, tuple[list[float], list[float]]] = {"on": ([], []), "off": ([], [])}
    summaries: list[MonitorSummary] = []
    for number in range(PAIRS):
        for way in chance.sample(("on", "off"), 2):  # a pair of each way, their order and that in each by chance
            for side in chance.sample((0, 1), 2):
                if way == "on" and side == 0:
                    with _watched(where, engine, folder / f"{kind}-{number}.sqlite", summaries):
                        seconds = _run(where, engine, each)
                else:
                    seconds = _run(where, engine, each)
                times[way][side].append(seconds)
    on, off = (paired_ratio(list(zip(*times[way], strict=True))) for way in ("on", "off"))
    read = sum(summary.read for summary in summaries)
    share = sum(summary.cpu_seconds for summary in summaries) / sum(summary.seconds for summary in summaries)
    yield Row(f"{kind}: wall time watched at {HERTZ} Hz over unwatched", on.median, "×", note=_interval(on))
    yield Row(f"{kind}: unwatched over unwatched, for comparison", off.median, "×", note=_interval(off))
    yield Row(
        f"{kind}: CPU of the monitor's threads while it watched",
        100 * share,
        "% of a core",
        note=f"{read} samples of 2 targets, with starting and stopping for each run",
    )


def _interval(ratio: RatioResult) -> str:
    low, high = (f"{bound:.4f}" if bound is not None else "not known" for bound in (ratio.low, ratio.high))
    return f"{ratio.pairs} pairs; 95 % interval of the median ratio {low} to {high}: {ratio.verdict.value}"


@contextmanager
def _watched(where: Place, engine: Engine, path: Path, summaries: list[MonitorSummary]) -> Iterator[None]:
    targets = [engine.target, where.database.target]
    with closing(SqliteStore(path)) as store, closing(choose_source("process", targets)) as source:
        monitor = Monitor(
            store,
            source,
            targets,
            StreamId("proof", "pairs", path.stem),
            on_event=_tell,
            settings=MonitorSettings(interval_seconds=1 / HERTZ),
        )
        monitor.start()
        try:
            yield
        finally:
            summaries.append(monitor.stop())


def _tell(kind: EventKind, target: str | None, message: str, at: str) -> None:
    print(f"{at} {target}: {kind}: {message}", file=sys.stderr)


def _run(where: Place, engine: Engine, each: SnippetCall) -> float:
    outcome = engine.run(each, timeout_seconds=60, targets=[engine.target, where.database.target])
    if outcome.failure is not None or outcome.wall_seconds is None:
        raise RuntimeError(f"the run failed: {outcome.failure}")
    return outcome.wall_seconds

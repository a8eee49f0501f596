"""Benchmarks and long proofs, in order. Each module has ``run() -> Sequence[Row]``, loaded only when it runs."""

from __future__ import annotations

import importlib
import traceback
from dataclasses import dataclass

from benchmarks.result import NotMeasured, Row


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A name to type, the title in the table, the module that measures."""

    name: str
    title: str
    module: str

    def run(self) -> tuple[tuple[Row, ...], bool]:
        """The rows, and whether it ran without an error of its own."""
        try:
            return tuple(importlib.import_module(self.module).run()), True
        except NotMeasured as reason:
            return (Row(self.title, None, "", note=str(reason)),), True
        except Exception as error:  # noqa: BLE001 - one broken benchmark must not keep the others from being measured
            traceback.print_exc()
            return (Row(self.title, None, "", note=f"{type(error).__name__}: {error}"),), False


BENCHMARKS = (
    Benchmark("help", "`snipbench --help` against `python -c pass`", "benchmarks.help_start"),
    Benchmark("burst", "CPU seconds of a known burst against `getrusage`", "benchmarks.burst_accuracy"),
    Benchmark("monitor", "What watching costs", "benchmarks.monitor_cost"),
    Benchmark("ingest", "Samples a second into each store", "benchmarks.ingest"),
    Benchmark("landing", "Landing a million samples against a plain Parquet write", "benchmarks.landing"),
    Benchmark("repeating", "The same order twice", "benchmarks.repeating"),
    Benchmark("profile", "What `@snipbench.profile` adds to a call", "benchmarks.profile_overhead"),
    Benchmark(
        "warm", "A run on a warm session: beyond the snippet, and against a session per run", "benchmarks.warm_runs"
    ),
    Benchmark("udf-burst", "CPU seconds of a burst in a UDF worker against `getrusage`", "benchmarks.udf_burst"),
    Benchmark("dispatch", "What handing work to services costs a run", "benchmarks.dispatch"),
    Benchmark("clones", "Clones of databases in containers, by strategy and size", "benchmarks.clone_strategies"),
)

PROOFS = (
    Benchmark("corpus", "What the models learn from the corpus", "benchmarks.corpus"),
    Benchmark("store-away", "A store that is away for two minutes at 1,000 samples a second", "benchmarks.store_away"),
    Benchmark("monitor-pairs", "The same runs with and without the monitor", "benchmarks.monitor_pairs"),
    Benchmark("stack", "The quickstart through the services and on one machine", "benchmarks.through_compose"),
    Benchmark("cluster", "The quickstart on a Spark cluster and on one machine", "benchmarks.on_a_cluster"),
    Benchmark("s3", "Tables of the lake to the object store of compose.yaml and back", "benchmarks.through_s3"),
    Benchmark("chaos", "Services killed at random in the middle of orders", "benchmarks.chaos"),
)

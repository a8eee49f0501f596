"""Landing a million samples, from the store's documents to Delta, against a plain Spark Parquet write of the rows.

Both run in one session and in random order; the first round warms the JVM and is thrown away. Landing reads and
parses the documents, finds the run of each, stages and writes them; the plain write starts from the finished rows
in memory.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from analyzer.landing.session import delta_session
from analyzer.landing.staging import stage_samples
from analyzer.landing.writer import write_all
from analyzer.material import load_material
from benchmarks.result import Goal, NotMeasured, Row
from benchmarks.synthetic import write_task
from orchestrator import jars
from snipbench.errors import MachineError
from snipbench.lake.tables import TABLES
from snipbench.statistics import median
from snipbench.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SAMPLES = 1_000_000
ROUNDS = 3
SEED = 7
GOAL = Goal(at_most=2.0)


def run(samples: int = SAMPLES, rounds: int = ROUNDS) -> Sequence[Row]:
    """Rows of the table of benchmarks."""
    try:
        paths = jars.ensure()
    except MachineError as error:
        raise NotMeasured(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="snipbench-bench-") as folder:
        home = Path(folder)
        store = SqliteStore(home / "store.sqlite")
        write_task(store, "task-1", samples=samples)
        with delta_session(paths, home / "scratch", rows=samples) as spark:
            measured = _measure(spark, store, home, rounds)
        store.close()
    ratios = [found["land"] / found["plain"] for found in measured]
    staged = [found["land"] / found["staged"] for found in measured]
    seconds = median([found["land"] for found in measured])
    plain = median([found["plain"] for found in measured])
    return (
        Row(
            f"landing {samples:,} samples ÷ plain Spark Parquet write of the same rows",
            median(ratios),
            "×",
            GOAL,
            f"{rounds} rounds, {min(ratios):.2f} to {max(ratios):.2f}; landing {seconds:.1f} s, plain {plain:.1f} s",
        ),
        Row(
            f"landing {samples:,} samples ÷ Spark copying the rows from Parquet to Parquet",
            median(staged),
            "×",
            note=f"{min(staged):.2f} to {max(staged):.2f}; the copy parses no documents and makes no rows",
        ),
    )


def _measure(spark: SparkSession, store: SqliteStore, home: Path, rounds: int) -> list[dict[str, float]]:
    ready = home / "ready"
    ready.mkdir()
    runs = load_material(store, "task-1").runs
    found = stage_samples(store, "task-1", runs, ready)
    rows = pq.read_table(found.directory, schema=TABLES["samples"].arrow_schema())

    def land(target: Path) -> None:
        staging = target / "staging"
        staging.mkdir()
        write_all(spark, target / "lake", "task-1", [stage_samples(store, "task-1", runs, staging)])

    ways: dict[str, Callable[[Path], None]] = {
        "land": land,
        "plain": lambda target: spark.createDataFrame(rows).write.parquet(str(target / "plain")),
        "staged": lambda target: spark.read.parquet(str(found.directory)).write.parquet(str(target / "copy")),
    }
    chance = random.Random(SEED)
    measured = []
    for number in range(rounds + 1):
        seconds = {}
        for name in chance.sample(list(ways), k=len(ways)):
            target = home / f"{name}-{number}"
            target.mkdir()
            begun = perf_counter()
            ways[name](target)
            seconds[name] = perf_counter() - begun
            shutil.rmtree(target)
        measured.append(seconds)
    return measured[1:]

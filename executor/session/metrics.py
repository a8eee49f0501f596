"""Spark's own metrics of one run, read from its status stores through the gateway, so that no UI port is needed."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

Metrics = dict[str, float | int | None]

DRAIN_MILLISECONDS = 20_000
"""How long Spark's listeners may take to have seen the run's events; beyond it the session is given up."""

STAGE_SUMS: dict[str, tuple[str, float | None]] = {
    "executorRunTime": ("executor_run_seconds", 1e-3),
    "executorCpuTime": ("executor_cpu_seconds", 1e-9),
    "jvmGcTime": ("gc_seconds", 1e-3),
    "inputBytes": ("input_bytes", None),
    "inputRecords": ("input_records", None),
    "shuffleReadBytes": ("shuffle_read_bytes", None),
    "shuffleReadRecords": ("shuffle_read_records", None),
    "shuffleWriteBytes": ("shuffle_write_bytes", None),
    "shuffleWriteRecords": ("shuffle_write_records", None),
    "memoryBytesSpilled": ("spill_memory_bytes", None),
    "diskBytesSpilled": ("spill_disk_bytes", None),
}
"""Stage data, summed over the run's stages: name in Spark's store, name here, factor to seconds."""

PLAN_SUMS = {
    "data sent to Python workers": "python_sent_bytes",
    "data returned from Python workers": "python_returned_bytes",
    "time to start Python workers": "python_start_seconds",
    "time to initialize Python workers": "python_initialize_seconds",
    "time to run Python workers": "python_run_seconds",
    "JDBC query execution time": "jdbc_query_seconds",
    "JDBC remote data fetch and translation time": "jdbc_fetch_seconds",
}
"""Metrics of plan nodes, summed over the plan; absent where the plan has no such node."""

PYTHON_METRICS = frozenset(name for name in PLAN_SUMS.values() if name.startswith("python_"))

PLAN_METRIC = re.compile(r"^SQLPlanMetric\((.*),(\d+),(\w+)\)$", re.MULTILINE)

PLAN_FACTORS = {"timing": 1e-3, "nsTiming": 1e-9}
"""By Spark's metric type; the rest are whole numbers."""


class MetricsReader:
    """Reads the metrics of what ran since :meth:`mark`."""

    def __init__(self, spark: SparkSession) -> None:
        context = spark.sparkContext
        self._context = context._jsc.sc()
        self._bus = self._context.listenerBus()
        self._scheduler = self._context.dagScheduler()
        self._store = self._context.statusStore()
        self._sql = spark._jsparkSession.sharedState().statusStore()
        self._accumulators = context._jvm.org.apache.spark.util.AccumulatorContext
        self._nothing = (context._jvm.java.util.ArrayList(), context._gateway.new_array(context._jvm.double, 0))
        self._first_job = 0
        self._last_execution = -1
        self._last_accumulator = 0

    def mark(self) -> None:
        """What runs from now on belongs to the run."""
        self._bus.waitUntilEmpty(DRAIN_MILLISECONDS)
        self._first_job = self._scheduler.numTotalJobs()
        self._last_execution = self._newest_execution()
        self._last_accumulator = self._accumulators.newId()

    def collect(self) -> Metrics:
        """Metrics of the run. A plan metric that Spark has already discarded is ``None``.

        ``peak_execution_bytes`` is that of the stage with the greatest sum of its tasks' peaks.
        """
        self._bus.waitUntilEmpty(DRAIN_MILLISECONDS)
        metrics = self._of_stages() | self._of_plans()
        if not _is_initialising(metrics):
            metrics["python_initialize_seconds"] = None
        return metrics

    def _of_stages(self) -> Metrics:
        """``None`` throughout where the run had more jobs than Spark remembers."""
        jobs = range(self._first_job, self._scheduler.numTotalJobs())
        metrics: Metrics = {"jobs": len(jobs)}
        try:
            stages = [stage for job in jobs for stage in self._stages(job)]
        except Py4JJavaError as error:
            if error.java_exception.getClass().getSimpleName() != "NoSuchElementException":
                raise
            names = [ours for ours, _ in STAGE_SUMS.values()]
            return metrics | dict.fromkeys(["stages", "tasks", "failed_tasks", "peak_execution_bytes", *names])
        metrics["stages"] = len(stages)
        metrics["tasks"] = sum(int(stage.numCompleteTasks()) for stage in stages)
        metrics["failed_tasks"] = sum(int(stage.numFailedTasks()) for stage in stages)
        for name, (ours, factor) in STAGE_SUMS.items():
            total = sum(int(getattr(stage, name)()) for stage in stages)
            metrics[ours] = total if factor is None else total * factor
        metrics["peak_execution_bytes"] = max((int(stage.peakExecutionMemory()) for stage in stages), default=0)
        return metrics

    def _stages(self, job: int) -> list[Any]:
        """Attempts of the job's stages that ran; a skipped stage (its shuffle was there) cost nothing."""
        ids = self._store.job(job).stageIds().mkString(" ").split()
        empty, no_quantiles = self._nothing
        attempts: list[Any] = []
        for stage in ids:
            data = self._store.stageData(int(stage), False, empty, False, no_quantiles)
            attempts += [data.apply(number) for number in range(data.length())]
        return [attempt for attempt in attempts if attempt.status().name() != "SKIPPED"]

    def _of_plans(self) -> Metrics:
        metrics: Metrics = {}
        sums: Counter[str] = Counter()
        for execution in range(self._last_execution + 1, self._newest_execution() + 1):
            found = self._sql.execution(execution)
            if found.isEmpty():
                continue
            # As text of its own, not as JSON: beyond 8 kB a reply of the gateway comes in two parts, and the second
            # waits 40 ms for the first's acknowledgement.
            for metric, number, kind in PLAN_METRIC.findall(found.get().metrics().mkString("\n")):
                accumulator = int(number)
                # An older one belongs to a cached plan and tells of the time when that was filled.
                if (name := PLAN_SUMS.get(metric)) is None or accumulator < self._last_accumulator:
                    continue
                value = self._accumulators.get(accumulator)
                if value.isEmpty():
                    metrics[name] = None
                else:
                    sums[name] += value.get().value() * PLAN_FACTORS.get(kind, 1)
        return dict(sums) | metrics

    def _newest_execution(self) -> int:
        count = self._sql.executionsCount()
        return -1 if count == 0 else int(self._sql.executionsList(count - 1, 1).head().executionId())


def _is_initialising(metrics: Metrics) -> bool:
    """Whether Spark's time to initialise workers can be one: for a worker that is used again it counts from the end of
    that worker's last task, however long ago that was."""
    seconds, started = metrics.get("python_initialize_seconds"), metrics.get("python_start_seconds")
    if seconds is None:
        return True
    return bool(started) and seconds <= (metrics["executor_run_seconds"] or 0)

"""What a task's measurements say about one snippet, as the brief that an advisor gets."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.advisors.port import Brief, TableShape, Timing
from analyzer.material import TaskMaterial
from analyzer.measures import cpu_seconds_database, cpu_seconds_executor, is_usable, memory_peak_bytes
from analyzer.summaries import summarise
from snipbench.domain.order import Experiment, Role, Snippet
from snipbench.domain.plan import Phase
from snipbench.domain.run import Run
from snipbench.statistics import median_interval

Columns = tuple[tuple[str, str], ...]


def brief_for(
    material: TaskMaterial,
    experiment: str,
    snippet: str,
    *,
    plan: str | None = None,
    tables: Sequence[TableShape] = (),
) -> Brief:
    """The brief of a snippet that was measured.

    Args:
        material: the task.
        experiment: name of its experiment.
        snippet: its name.
        plan: Spark's physical plan as text, where it is known.
        tables: shapes of the experiment's tables (:func:`analyzer.advisors.shapes.table_shapes`), where they are
            known; otherwise their names alone are told.

    Raises:
        KeyError: the order has no such snippet.
    """
    where = material.order.experiment(experiment)
    subject = where.snippet(snippet)
    runs = [
        run
        for run in material.runs
        if run.experiment == experiment and run.snippet == snippet and run.phase is Phase.MEASURED and is_usable(run)
    ]
    floor = _floor(where, subject)
    return Brief(
        task_id=material.task.task_id,
        experiment=experiment,
        snippet=snippet,
        kind=subject.kind,
        code=subject.code,
        entry=subject.entry,
        input=subject.input,
        returns=subject.returns,
        parameters=dict(where.parameters),
        plan=plan,
        metrics=_metrics(runs),
        tables=tuple(tables) or tuple(TableShape(table.name, ()) for table in where.tables),
        input_columns=None if floor is None else _columns(material, experiment, floor.name),
        result_columns=_columns(material, experiment, snippet),
        timings=tuple(
            Timing(dict(summary.place.parameters), wall.median, wall.low, wall.high)
            for summary in summarise(material.order, material.runs, material.results)
            if summary.place.experiment == experiment and summary.place.snippet == snippet
            for wall in [summary.figures["wall_seconds"]]
        ),
    )


def _floor(experiment: Experiment, snippet: Snippet) -> Snippet | None:
    """The input-only run that has the snippet's input as its code."""
    return next(
        (
            floor
            for floor in experiment.snippets
            if floor.role is Role.FLOOR and floor.baseline == snippet.baseline and floor.code == snippet.input
        ),
        None,
    )


def _columns(material: TaskMaterial, experiment: str, snippet: str) -> Columns | None:
    """Names and types of a result, where they are the same at every parameter point."""
    seen = {
        result.facts.columns
        for result in material.results
        if result.experiment == experiment and result.snippet == snippet and result.facts is not None
    }
    return seen.pop() if len(seen) == 1 else None


def _metrics(runs: Sequence[Run]) -> dict[str, float | None]:
    """Medians over the runs; ``None`` where no run has a value."""
    names = sorted({name for run in runs for name in run.outcome.spark})
    values: dict[str, list[float | int | None]] = {
        "executor_process_cpu_seconds": [cpu_seconds_executor(run) for run in runs],
        "database_cpu_seconds": [cpu_seconds_database(run) for run in runs],
        "memory_peak_bytes": [memory_peak_bytes(run) for run in runs],
    } | {name: [run.outcome.spark.get(name) for run in runs] for name in names}
    return {
        name: median_interval([float(value) for value in found if value is not None]).median
        for name, found in values.items()
    }

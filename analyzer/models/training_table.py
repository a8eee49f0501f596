"""The training table: one row per snippet and parameter point of the listed tasks, narrowed to experiments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from analyzer.material import TaskMaterial, load_material
from analyzer.measures import cpu_seconds, is_usable, memory_peak_bytes, sees_all, too_short, wall_seconds
from analyzer.models.features import known_features
from analyzer.models.grouping import groups_of
from analyzer.models.python_features import Features
from analyzer.models.similarity import source_words
from analyzer.summaries import TOLERATED_LOSS, outlier_slots
from snipbench import records
from snipbench.domain.analysis import Classify, Metric
from snipbench.domain.order import Experiment, Kind, Role, Snippet
from snipbench.domain.plan import Parameters, Phase, parameter_points
from snipbench.domain.run import Run, TaskStatus
from snipbench.errors import UsageError
from snipbench.statistics import median
from snipbench.store.port import DocumentStore


@dataclass(frozen=True, slots=True)
class Row:
    """A snippet at one parameter point: what was known before its runs, and what they cost.

    ``target`` is the median over the runs, in the target's unit; ``lowest`` and ``highest`` are its extremes. ``group``
    is what must stay on one side of a split: the template, or several where they hold the same code.
    """

    task_id: str
    experiment: str
    snippet: str
    parameters: Parameters
    kind: str
    template: str
    group: str
    features: Features
    words: frozenset[str]
    target: float
    lowest: float
    highest: float
    runs: int


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Rows, and how many points were left out for which reason."""

    target: Metric
    rows: tuple[Row, ...]
    tasks: tuple[str, ...]
    left_out: tuple[tuple[str, int], ...]

    @property
    def groups(self) -> frozenset[str]:
        """What a split may part."""
        return frozenset(row.group for row in self.rows)


@dataclass(frozen=True, slots=True)
class _Point:
    material: TaskMaterial
    experiment: Experiment
    snippet: Snippet
    parameters: Parameters


def build_table(store: DocumentStore, task_id: str, analysis: Classify) -> TrainingTable:
    """Collect what the analysis asks for.

    The platform's own floors are left out: one input serves several templates and would stand on both sides.

    Raises:
        UsageError: a listed task or experiment is not there.
        StoreError: the store is away.
    """
    tasks = tuple(dict.fromkeys(_task(store, task_id, name) for name in analysis.tasks))
    materials = [load_material(store, task) for task in tasks]
    points = [point for material in materials for point in _points(material, analysis.experiments)]
    if analysis.experiments and not points:
        raise UsageError(f"none of the tasks has an experiment called {' or '.join(analysis.experiments)}")
    groups = groups_of((point.snippet.template, _code(point.snippet)) for point in points)
    reasons: Counter[str] = Counter()
    rows = []
    for material in materials:
        measured = _measured(material.runs)
        excluded = outlier_slots(material.runs) if analysis.preprocess.outliers == "drop" else frozenset()
        for point in points:
            if point.material is not material:
                continue
            runs = measured.get((point.experiment.name, point.snippet.name, point.parameters), [])
            kept = [run for run in runs if run.slot_id not in excluded]
            if analysis.preprocess.drop_failed:
                kept = [run for run in kept if is_usable(run)]
            found = [value for value in map(MEASURES[analysis.target], kept) if value is not None]
            if not found:
                reasons[_reason(runs, kept)] += 1
            elif len(found) < (1 - TOLERATED_LOSS) * len(kept):
                reasons["too many runs without a value"] += 1
            else:
                rows.append(_row(store, point, groups[point.snippet.template], found))
    return TrainingTable(analysis.target, tuple(rows), tasks, tuple(sorted(reasons.items())))


def _task(store: DocumentStore, this: str, name: str) -> str:
    """``this``, a task's id, or an order's name, which stands for its newest task that ran to its end."""
    if name == "this" or store.get("tasks", name) is not None:
        return this if name == "this" else name
    ended = [TaskStatus.COMPLETED.value, TaskStatus.PARTLY_FAILED.value]
    where = {"order_name": name, "status": ended}
    newest = next(iter(store.find("tasks", where, order_by=("-requested_at",), limit=1)), None)
    if newest is None:
        raise UsageError(f"there is neither a task nor a finished task of an order called {name!r}")
    return str(newest["_id"])


def _points(material: TaskMaterial, experiments: Sequence[str]) -> Iterable[_Point]:
    for experiment in material.order.experiments:
        if experiments and experiment.name not in experiments:
            continue
        for parameters in parameter_points(experiment):
            for snippet in experiment.snippets:
                if snippet.role is not Role.FLOOR:
                    yield _Point(material, experiment, snippet, parameters)


def _code(snippet: Snippet) -> str:
    """What makes two snippets the same code, whichever way Spark calls it; SQL and Python may read alike."""
    language = "sql" if snippet.kind is Kind.SQL else "python"
    return "\n".join((language, snippet.code.strip(), (snippet.input or "").strip()))


def _measured(runs: Iterable[Run]) -> dict[tuple[str, str, Parameters], list[Run]]:
    found: dict[tuple[str, str, Parameters], list[Run]] = {}
    for run in runs:
        if run.phase is Phase.MEASURED:
            found.setdefault((run.experiment, run.snippet, run.parameters), []).append(run)
    return found


def _reason(runs: Sequence[Run], kept: Sequence[Run]) -> str:
    if not runs:
        return "never measured"
    return "no value was measured" if kept else "every run failed"


def _row(store: DocumentStore, point: _Point, group: str, values: Sequence[float]) -> Row:
    task_id = point.material.task.task_id
    document = store.get("table_facts", f"{task_id}:{point.experiment.name}")
    facts = None if document is None else records.table_facts_from_document(document)
    return Row(
        task_id=task_id,
        experiment=point.experiment.name,
        snippet=point.snippet.name,
        parameters=point.parameters,
        kind=point.snippet.kind.value,
        template=point.snippet.template,
        group=group,
        features=known_features(point.experiment, point.snippet, point.parameters, facts),
        words=source_words(point.snippet),
        target=median(values),
        lowest=min(values),
        highest=max(values),
        runs=len(values),
    )


def _all_cpu_seconds(run: Run) -> float | None:
    """CPU time of the executor, where it could be resolved, and of the database as read."""
    executor, database = cpu_seconds(run, "executor"), cpu_seconds(run, "database")
    if executor is None or database is None or too_short(run, "executor"):
        return None
    return executor + database


def _bytes(which: Callable[[Run], list[int | None]]) -> Callable[[Run], float | None]:
    def measure(run: Run) -> float | None:
        values = which(run)
        present = [value for value in values if value is not None]
        return float(sum(present)) if values and len(present) == len(values) and sees_all(run) else None

    return measure


MEASURES: dict[Metric, Callable[[Run], float | None]] = {
    Metric.WALL_SECONDS: wall_seconds,
    Metric.CPU_SECONDS: _all_cpu_seconds,
    Metric.MEMORY_PEAK_BYTES: memory_peak_bytes,
    Metric.READ_BYTES: _bytes(lambda run: [cost.read_bytes for cost in run.outcome.costs]),
    Metric.WRITE_BYTES: _bytes(lambda run: [cost.write_bytes for cost in run.outcome.costs]),
}
"""How each target is read off a run; I/O is the sum over executor and database."""

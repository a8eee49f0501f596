"""The outcome of a task as one document: what ``run --json`` and ``show --json`` print (design, section 6).

Beyond the design's keys a snippet carries ``role``, ``baseline``, ``sessions`` (how many its measured runs come from)
and ``drift`` (the factor by which its times grew over a session), an experiment ``source`` (jdbc or cached), and the
outcome ``analyses``: name, kind, verdict and the sentence of each, and ``notes``: sentences on what the figures do not
tell.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from analyzer.material import TaskMaterial, load_material
from analyzer.proof.documents import OPTIMIZATIONS
from analyzer.summaries import Place, Summary, summarise
from snipbench.domain.order import Order, Schedule
from snipbench.domain.run import Run, RunStatus
from snipbench.domain.spark_master import UNSEEN, is_local
from snipbench.domain.task import SnippetResult
from snipbench.statistics import Interval
from snipbench.store.port import DocumentStore

ONE_AFTER_THE_OTHER = (
    "Snippets were measured one after the other (schedule: sequential): a drift of the machine is in every ratio, "
    "so nothing is called faster or slower"
)


def task_outcome(store: DocumentStore, task_id: str) -> dict[str, Any]:
    """The outcome of a task, finished or not.

    Raises:
        UsageError: the store has no such task.
    """
    outcome = outcome_of(load_material(store, task_id))
    outcome["analyses"] = [
        {"name": found["analysis"], **{key: found[key] for key in ("kind", "verdict", "sentence")}}
        for collection in ("training_reports", OPTIMIZATIONS)
        for found in store.find(collection, {"task_id": task_id})
    ]
    return outcome


def outcome_of(material: TaskMaterial) -> dict[str, Any]:
    """The outcome of a task that was read. Missing values are null."""
    results = {Place.of(found): found for found in material.results}
    runs: dict[Place, list[Run]] = {}
    for run in material.runs:
        runs.setdefault(Place.of(run), []).append(run)
    summaries = summarise(material.order, material.runs, material.results)
    return {
        "order_id": material.task.order_id,
        "task_id": material.task.task_id,
        "status": material.task.status.value,
        "plan_hash": material.task.plan_hash,
        "experiments": [
            {
                "name": experiment.name,
                "database": experiment.database,
                "source": experiment.source,
                "snippets": [
                    _snippet(summary, results.get(summary.place), runs.get(summary.place, []))
                    for summary in summaries
                    if summary.place.experiment == experiment.name
                ],
            }
            for experiment in material.order.experiments
        ],
        "report": material.task.report,
        "notes": _notes(material.order),
    }


def _notes(order: Order) -> list[str]:
    """Sentences on what the figures do not tell."""
    notes = [] if is_local(order.spark.master) else [f"Spark ran at {order.spark.master}: {UNSEEN}"]
    if order.schedule is Schedule.SEQUENTIAL:
        notes.append(ONE_AFTER_THE_OTHER)
    return notes


def _snippet(summary: Summary, result: SnippetResult | None, runs: list[Run]) -> dict[str, Any]:
    figures = summary.figures
    memory = figures["memory_peak_bytes"].median
    return {
        "name": summary.place.snippet,
        "kind": summary.kind,
        "role": summary.role,
        "baseline": summary.baseline,
        "parameters": dict(summary.place.parameters),
        "runs": summary.runs,
        "failed": summary.failed,
        "sessions": summary.sessions,
        "wall_seconds": _interval(figures["wall_seconds"]),
        "cpu_seconds": {
            "executor": _interval(figures["cpu_seconds_executor"]),
            "database": _interval(figures["cpu_seconds_database"]),
        },
        "memory_peak_bytes": None if memory is None else round(memory),
        "result_hash": result_hash(result, runs),
        "equal_to_baseline": summary.equal,
        "steady": summary.steadiness.steady,
        "drift": summary.steadiness.drift,
        "ratio_to_baseline": _ratio(summary),
        "errors": _errors(result, runs),
    }


def result_hash(result: SnippetResult | None, runs: list[Run]) -> str | None:
    """Hash of the untimed pass, or else the one that the runs carry."""
    if result is not None and result.facts is not None:
        return result.facts.result_hash
    return next((run.result_hash for run in runs if run.result_hash is not None), None)


def _interval(interval: Interval) -> dict[str, float | None]:
    return {"median": interval.median, "low": interval.low, "high": interval.high}


def _ratio(summary: Summary) -> dict[str, Any] | None:
    for comparison in summary.comparisons:
        if comparison.measure == "wall_seconds":
            ratio = comparison.ratio
            return {
                "median": ratio.median,
                "low": ratio.low,
                "high": ratio.high,
                "pairs": ratio.pairs,
                "verdict": ratio.verdict.value,
            }
    return None


def _errors(result: SnippetResult | None, runs: list[Run]) -> list[str]:
    """Each distinct error once, with how often it was seen where that was more than once."""
    seen: Counter[str] = Counter()
    for run in runs:
        if run.outcome.status is not RunStatus.OK:
            failure = run.outcome.failure
            seen[f"{failure.kind}: {failure.message}" if failure else run.outcome.status.value] += 1
    errors = [text if count == 1 else f"{text} ({count} runs)" for text, count in seen.items()]
    if result is not None and result.failure is not None:
        what = "result" if result.facts is None else "result of a later pass"
        errors.append(f"{what}: {result.failure.kind}: {result.failure.message}")
    if result is not None and result.changed_hashes:
        errors.append(f"the result changed between passes: also {', '.join(result.changed_hashes)}")
    return errors

"""Rows of the tables that follow from the runs: summaries and comparisons."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.landing.arrow import Row
from analyzer.material import TaskMaterial
from analyzer.outcome import result_hash
from analyzer.summaries import Place, summarise
from snipbench.domain.run import Run
from snipbench.records import parameters_to_text


def summaries(material: TaskMaterial) -> Iterator[Row]:
    """A row per snippet and parameter point."""
    results = {Place.of(found): found for found in material.results}
    runs: dict[Place, list[Run]] = {}
    for run in material.runs:
        runs.setdefault(Place.of(run), []).append(run)
    for summary in summarise(material.order, material.runs, material.results):
        place = summary.place
        result = results.get(place)
        figures = {
            f"{name}_{part}": value
            for name, interval in summary.figures.items()
            for part, value in (("median", interval.median), ("low", interval.low), ("high", interval.high))
        }
        yield {
            "task_id": material.task.task_id,
            "experiment": place.experiment,
            "snippet": place.snippet,
            "parameters": parameters_to_text(place.parameters),
            "kind": summary.kind,
            "baseline": summary.baseline,
            "runs": summary.runs,
            "failed": summary.failed,
            "outliers": summary.outliers,
            "sessions": summary.sessions,
            **figures,
            "confidence_achieved": summary.figures["wall_seconds"].confidence_achieved,
            "result_hash": result_hash(result, runs.get(place, [])),
            "equality": result.comparison.equality.value if result and result.comparison else None,
            "steady": summary.steadiness.steady,
        }


def comparisons(material: TaskMaterial) -> Iterator[Row]:
    """A row per variant, parameter point and measure."""
    for summary in summarise(material.order, material.runs, material.results):
        for found in summary.comparisons:
            yield {
                "task_id": material.task.task_id,
                "experiment": found.place.experiment,
                "snippet": found.place.snippet,
                "parameters": parameters_to_text(found.place.parameters),
                "baseline": found.baseline,
                "measure": found.measure,
                "ratio_median": found.ratio.median,
                "ratio_low": found.ratio.low,
                "ratio_high": found.ratio.high,
                "pairs": found.ratio.pairs,
                "pairs_unusable": found.pairs_unusable,
                "sessions": found.sessions,
                "verdict": found.ratio.verdict.value,
            }

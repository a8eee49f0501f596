"""A ``classify`` analysis from the listed tasks to the training report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analyzer.models import documents
from analyzer.models.adequacy import fold_count, shortcomings
from analyzer.models.labels import LABELS, Bounds, bounds_of
from analyzer.models.training_table import TrainingTable, build_table
from analyzer.models.verdicts import Verdict, too_little
from snipbench.clock import Clock, to_text
from snipbench.domain.analysis import Classify
from snipbench.errors import MachineError, SnipbenchError, StoreError
from snipbench.identity import canonical_json, content_hash
from snipbench.store.port import Document, DocumentStore

SEARCH_SECONDS = 240.0
"""Hard cap of all the searches of one analysis together; a trial that has begun is finished."""


def run_classify(
    store: DocumentStore,
    folder: Path,
    task_id: str,
    analysis: Classify,
    *,
    clock: Clock,
    seed: int,
    seconds: float = SEARCH_SECONDS,
    say: Callable[[str], None] = lambda _: None,
) -> Document:
    """Learn, judge, and keep what was learned; doing it again replaces it.

    Args:
        store: where the tasks are; gets ``features, models, predictions, training_reports``.
        folder: where the model goes, and the CSV of the training table unless the analysis names another place.
        task_id: what ``this`` means, and what the rows belong to.
        analysis: from the order.
        clock: for instants and for the cap on the searches.
        seed: of folds, searches, estimators and intervals; the order's.
        seconds: cap of the searches.
        say: is told what goes on, for whoever waits.

    Returns:
        The training report (see ``docs/models.md``). Too little data, or that the analysis could not be made, is a
        verdict in it and no exception.

    Raises:
        StoreError: the store is away.
    """
    report: Document = {
        "_id": f"{task_id}:{analysis.name}",
        "task_id": task_id,
        "analysis": analysis.name,
        "kind": "classify",
        "target": analysis.target.value,
        "request": analysis.model_dump_json(),
        "seed": seed,
        "started_at": to_text(clock.now()),
    }
    try:
        return _run(store, folder, analysis, report, clock, seconds, say)
    except StoreError:
        raise
    except SnipbenchError as error:
        report |= {"verdict": Verdict.FAILED.value, "sentence": f"The analysis could not be made: {error}"}
        report["ended_at"] = to_text(clock.now())
        documents.replace_analysis(store, report)
        return report


def _run(
    store: DocumentStore,
    folder: Path,
    analysis: Classify,
    report: Document,
    clock: Clock,
    seconds: float,
    say: Callable[[str], None],
) -> Document:
    _need_libraries()
    from analyzer.models.table_csv import write_table

    task_id, name = report["task_id"], analysis.name
    table = build_table(store, task_id, analysis)
    values = [row.target for row in table.rows]
    bounds = bounds_of(analysis.classes, values) if values else None
    classes = [] if bounds is None else [bounds.label(value) for value in values]
    groups = [row.group for row in table.rows]
    report |= _about_data(table, bounds, classes)
    report["table"] = (
        write_table(table, classes, analysis.export or str(folder), f"{task_id}-{name}") if values else None
    )
    features = [documents.feature_document(task_id, name, row) for row in table.rows]
    missing = shortcomings(classes, groups)
    if missing:
        report |= {
            "verdict": Verdict.TOO_LITTLE_DATA.value,
            "sentence": too_little(missing),
            "missing": list(missing),
            "ended_at": to_text(clock.now()),
        }
        documents.replace_analysis(store, report, features, [_model_row(report, None)])
        return report
    from threadpoolctl import threadpool_limits

    from analyzer.models.training import train

    # One thread: the tables are small, and threads that wait for each other on a busy machine cost far more.
    with threadpool_limits(limits=1):
        trained = train(
            table,
            classes,
            folder=folder,
            model_id=f"model-{content_hash([task_id, name], length=12)}",
            folds=fold_count(groups),
            trials=analysis.search.trials,
            seconds=seconds,
            seed=report["seed"],
            monotonic=clock.monotonic,
            say=say,
        )
    report |= trained.report | {"ended_at": to_text(clock.now())}
    predictions = [
        documents.prediction_document(task_id, name, trained.model_id, row, given, probability, actual)
        for row, given, probability, actual in zip(
            table.rows, trained.predicted, trained.probabilities, classes, strict=True
        )
    ]
    documents.replace_analysis(store, report, features, [_model_row(report, trained.model_id)], predictions)
    return report


def _need_libraries() -> None:
    try:
        import optuna  # noqa: F401
        import sklearn  # noqa: F401
        import skops  # noqa: F401
    except ImportError as error:
        raise MachineError(f"{error.name} is not installed; models need `pip install 'snipbench[models]'`") from error


def _about_data(table: TrainingTable, bounds: Bounds | None, classes: Sequence[str]) -> dict[str, Any]:
    counts = Counter(classes)
    uncertain = sum(bounds is not None and bounds.label(row.lowest) != bounds.label(row.highest) for row in table.rows)
    return {
        "tasks": list(table.tasks),
        "rows": len(table.rows),
        "templates": len(table.groups),
        "left_out": [{"reason": reason, "points": count} for reason, count in table.left_out],
        "without_sizes": sum(row.features["data_input_rows_log"] is None for row in table.rows),
        "uncertain_labels": uncertain,
        "classes": []
        if bounds is None
        else [
            {
                "name": label,
                "above": above,
                "up_to": up_to,
                "rows": counts[label],
                "templates": len({row.group for row, found in zip(table.rows, classes, strict=True) if found == label}),
            }
            for label, above, up_to in zip(
                LABELS, (None, bounds.low, bounds.medium), (bounds.low, bounds.medium, bounds.high), strict=True
            )
        ],
    }


def _model_row(report: Document, model_id: str | None) -> Document:
    """The row of the lake's table ``models``; without a model the row says why there is none."""
    name = model_id or f"none-{content_hash([report['task_id'], report['analysis']], length=12)}"
    model, best = report.get("model") or {}, report.get("best_baseline") or {}
    return {
        "_id": name,
        "task_id": report["task_id"],
        "model_id": name,
        "analysis": report["analysis"],
        "target": report["target"],
        "classes": canonical_json(report["classes"]),
        "rows": report["rows"],
        "groups": report["templates"],
        "verdict": report["verdict"] if model_id else report["sentence"],
        "macro_f1": report["macro_f1"]["value"] if model_id else None,
        "baseline": best.get("name"),
        "baseline_macro_f1": best.get("macro_f1"),
        "report": canonical_json({key: value for key, value in report.items() if key != "_id"}),
        "artifact": model.get("path"),
        "artifact_sha256": model.get("sha256"),
        "trained_at": report["ended_at"],
    }

"""Classes for snippets that were not run: a stored model applied to an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer.models.artifact import Artifact, load
from analyzer.models.documents import REPORTS
from analyzer.models.features import SIZE, known_features
from analyzer.models.giving import given
from analyzer.models.labels import Bounds
from analyzer.models.pipelines import frame_of
from analyzer.models.python_features import Features
from analyzer.models.similarity import similarity, source_words
from analyzer.models.training_table import Row, build_table
from snipbench import records
from snipbench.domain.analysis import Classify
from snipbench.domain.order import Experiment, Order, Role
from snipbench.domain.plan import parameter_points
from snipbench.domain.table_facts import TableFacts
from snipbench.errors import UsageError
from snipbench.store.port import Document, DocumentStore

EVIDENCE = 3
"""How many measured snippets are named as evidence."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Facts of an experiment's tables and where they come from (``None``: nowhere, sizes are unknown)."""

    tables: tuple[TableFacts, ...] | None
    origin: str | None


def predict_order(
    store: DocumentStore, folder: Path, order: Order, *, model_id: str | None = None, task_id: str | None = None
) -> dict[str, Any]:
    """Predict every snippet of an order at every parameter point.

    Args:
        store: holds the models and the tasks that they learned from.
        folder: where the models' files are.
        order: resolved; nothing of it is run.
        model_id: which model; the newest without.
        task_id: a task of the order, whose table facts are taken; without one, those of the newest task on a database
            with the same dataset.

    Returns:
        ``{"model": {…}, "predictions": [{"experiment", "snippet", "parameters", "class", "probabilities",
        "sizes_from", "evidence": [{"task_id", "experiment", "snippet", "parameters", "similarity", "value",
        "class"}]}]}``; evidence are the measured snippets that are written most like it.

    Raises:
        UsageError: there is no such model.
        ModelRefused: the model's file is not the one that was trained.
    """
    row = _model(store, model_id)
    report = store.get(REPORTS, f"{row['task_id']}:{row['analysis']}")
    if report is None:
        raise UsageError(f"the training report of {row['model_id']} is not in the store")
    pipeline = load(folder, Artifact(row["artifact"], row["artifact_sha256"]))
    bounds = Bounds(*(found["up_to"] for found in report["classes"]))
    measured = build_table(store, row["task_id"], Classify.model_validate_json(report["request"])).rows
    places, features = [], []
    for experiment in order.experiments:
        known = _facts(store, order, experiment, task_id)
        for parameters in parameter_points(experiment):
            for snippet in experiment.snippets:
                if snippet.role is not Role.FLOOR:
                    places.append((experiment, snippet, parameters, known.origin))
                    features.append(known_features(experiment, snippet, parameters, known.tables))
    predictions = []
    for (experiment, snippet, parameters, origin), known_before, one in zip(
        places, features, given(pipeline, frame_of(features)), strict=True
    ):
        predictions.append(
            {
                "experiment": experiment.name,
                "snippet": snippet.name,
                "kind": snippet.kind.value,
                "parameters": dict(parameters),
                "class": one.label,
                "probabilities": one.chances,
                "sizes_from": origin,
                "evidence": _evidence(measured, source_words(snippet), known_before, bounds),
            }
        )
    return {"model": _about(row, report), "predictions": predictions}


def _model(store: DocumentStore, model_id: str | None) -> Document:
    if model_id is None:
        trained = (found for found in store.find("models", order_by=("-trained_at",)) if found["artifact"])
        newest = next(trained, None)
        if newest is None:
            raise UsageError("there is no model yet; an analysis of kind classify in an order trains one")
        return newest
    found = store.get("models", model_id)
    if found is None:
        there = ", ".join(sorted(model["_id"] for model in store.find("models") if model["artifact"]))
        raise UsageError(f"there is no model {model_id!r}; there are {there or 'none'}")
    if not found["artifact"]:
        raise UsageError(f"{model_id} is no model: {found['verdict']}")
    return found


def _facts(store: DocumentStore, order: Order, experiment: Experiment, task_id: str | None) -> _Known:
    document = None if task_id is None else store.get("table_facts", f"{task_id}:{experiment.name}")
    if document is None:
        key = records.dataset_key(order.database(experiment.database))
        alike = store.find("table_facts", {"dataset_key": key}, order_by=("-recorded_at",), limit=1)
        document = next(iter(alike), None)
    if document is None:
        return _Known(None, None)
    return _Known(records.table_facts_from_document(document), str(document["task_id"]))


def _evidence(
    measured: Sequence[Row], words: frozenset[str], features: Features, bounds: Bounds
) -> list[dict[str, Any]]:
    def far(row: Row) -> tuple[float, float]:
        return -similarity(words, row.words), abs(_number(features, SIZE) - _number(row.features, SIZE))

    return [
        {
            "task_id": row.task_id,
            "experiment": row.experiment,
            "snippet": row.snippet,
            "parameters": dict(row.parameters),
            "similarity": similarity(words, row.words),
            "value": row.target,
            "class": bounds.label(row.target),
        }
        for row in sorted(measured, key=far)[:EVIDENCE]
    ]


def _number(features: Mapping[str, float | str | None], name: str) -> float:
    value = features[name]
    return value if isinstance(value, float) else -1.0


def _about(row: Document, report: Document) -> dict[str, Any]:
    return {
        "model_id": row["model_id"],
        "analysis": row["analysis"],
        "task_id": row["task_id"],
        "target": row["target"],
        "classes": report["classes"],
        "verdict": report["verdict"],
        "sentence": report["sentence"],
        "trained_at": row["trained_at"],
    }

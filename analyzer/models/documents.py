"""What an analysis learned, as documents of the store.

===================  =========================================================  =====================================
collection           ``_id``                                                    what
===================  =========================================================  =====================================
training_reports     ``task:analysis``                                          the JSON training report
features             ``task:analysis:measured task:experiment:snippet:hash``    all features of a row, as JSON text
models               model id                                                   a row of the lake's table
predictions          as ``features``                                            a row of the lake's table
===================  =========================================================  =====================================

Writing an analysis again replaces what it wrote before.
"""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.models.training_table import Row
from snipbench.identity import canonical_json, content_hash
from snipbench.records import parameters_to_text
from snipbench.store.port import Document, DocumentStore

REPORTS = "training_reports"


def replace_analysis(
    store: DocumentStore,
    report: Document,
    features: Sequence[Document] = (),
    models: Sequence[Document] = (),
    predictions: Sequence[Document] = (),
) -> None:
    """Write all documents of one analysis of one task; the report goes last, so that it never stands alone."""
    mine = {"task_id": report["task_id"], "analysis": report["analysis"]}
    for collection, documents in (
        ("features", features),
        ("models", models),
        ("predictions", predictions),
        (REPORTS, [report]),
    ):
        store.delete(collection, mine)
        store.insert(collection, list(documents))


def row_document(task_id: str, analysis: str, row: Row) -> Document:
    """What both features and predictions have: where the row comes from."""
    text = parameters_to_text(row.parameters)
    place = (task_id, analysis, row.task_id, row.experiment, row.snippet, content_hash(text, length=12))
    return {
        "_id": ":".join(place),
        "task_id": task_id,
        "analysis": analysis,
        "measured_task": row.task_id,
        "experiment": row.experiment,
        "snippet": row.snippet,
        "parameters": text,
    }


def feature_document(task_id: str, analysis: str, row: Row) -> Document:
    """All features of a row in one document."""
    mine = {"template": row.template, "features": canonical_json(row.features)}
    return row_document(task_id, analysis, row) | mine


def prediction_document(
    task_id: str, analysis: str, model_id: str, row: Row, predicted: str, probability: float, actual: str
) -> Document:
    """The class that was given to a row while its group was held out."""
    return row_document(task_id, analysis, row) | {
        "model_id": model_id,
        "predicted_class": predicted,
        "probability": probability,
        "actual_class": actual,
        "held_out": True,
    }

"""What ``classify`` analyses learned, as their training reports tell it (``docs/models.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from analyzer.report import charts, scale
from snipbench.store.port import Document, DocumentStore


@dataclass(frozen=True, slots=True)
class Training:
    """One training report; its charts are ``None`` where there is no model."""

    name: str
    sentence: str
    report: Document
    scores: Markup | None
    importances: Markup | None


def trainings(store: DocumentStore, task_id: str) -> list[Training]:
    """The task's training reports."""
    return [_training(found) for found in store.find("training_reports", {"task_id": task_id})]


def _training(report: Document) -> Training:
    learned = "macro_f1" in report
    return Training(
        name=str(report["analysis"]),
        sentence=str(report["sentence"]),
        report=report,
        scores=_scores(report) if learned else None,
        importances=_importances(report) if learned else None,
    )


def _scores(report: dict[str, Any]) -> Markup:
    own = report["macro_f1"]
    interval = f"95 % {own['low']:.2f}–{own['high']:.2f}"
    rows = [charts.Bar("the model", own["value"], own["low"], own["high"], f"{own['value']:.2f}", "best", interval)]
    for rival in report["baselines"]:
        value, difference = rival["scores"]["macro_f1"], rival["difference"]
        bounds = f"{_signed(difference['low'])} to {_signed(difference['high'])}"
        note = f"difference {_signed(difference['value'])} ({bounds})"
        rows.append(charts.Bar(rival["name"].replace("_", " "), value, None, None, f"{value:.2f}", "rival", note))
    return charts.bars(rows, scale.COUNT, least=1.0)


def _importances(report: dict[str, Any]) -> Markup:
    rows = [
        charts.Bar(found["name"], found["mean"], None, None, _signed(found["mean"]), css, f"± {found['spread']:.3f}")
        for css, several in (("best", report["family_importances"]), ("rival", report["importances"]))
        for found in several
    ]
    return charts.bars(rows, scale.COUNT)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")

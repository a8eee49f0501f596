"""What advisors proposed and what its verification showed, as the ``optimize`` analyses left it in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from analyzer import words
from analyzer.report import charts, scale
from analyzer.report.diffs import unified
from snipbench.domain.analysis import Optimize
from snipbench.domain.order import Order
from snipbench.statistics import outlier_labels
from snipbench.store.port import Document, DocumentStore

VERDICTS = {
    "verified": ("verified: same result, faster", "faster"),
    "equal_not_faster": ("same result, not faster", "plain"),
    "wrong_result": ("wrong result", "slower"),
    "failed": ("failed", "slower"),
    "inconclusive": ("inconclusive", "unsure"),
    None: ("not proved", "plain"),
}
"""A verdict in words, and the class of its badge."""
COPIES = {
    "clone": "as they are",
    "second": "half of the rows",
    "mutated": "NULLs, duplicates, ties, edges, further rows",
    "mutated_values": "as mutated, without NULLs",
    "mutated_nulls": "as mutated, without new values",
    "mutated_rows": "duplicates, ties, further rows",
    "extreme": "greatest and smallest values",
    "empty": "no rows",
}
"""What stands in each copy of the data."""
SESSIONS = {"pairs": "first session", "confirmation": "confirmation"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One proposal. A chart without data is ``None``, so is ``diff`` where there is advice in words only.

    ``command`` takes over what was verified.
    """

    anchor: str
    where: str
    verdict: str
    css: str
    evidence: str
    facts: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    notes: tuple[str, ...]
    diff: Markup | None
    reduction: Markup | None
    pairs: Markup | None
    steps: tuple[Document, ...]
    command: str | None


@dataclass(frozen=True, slots=True)
class Improvement:
    """One ``optimize`` analysis; ``sentence`` says how it ended, also where nothing came of it."""

    name: str
    sentence: str
    unanswered: tuple[str, ...]
    suggestions: tuple[Suggestion, ...]


def improvements(store: DocumentStore, task_id: str, order: Order) -> list[Improvement]:
    """The order's ``optimize`` analyses, and those that were asked for later."""
    made = {found["analysis"]: found for found in store.find("optimizations", {"task_id": task_id})}
    asked = [analysis.name for analysis in order.analyses if isinstance(analysis, Optimize)]
    suggested: dict[str, list[Document]] = {}
    for document in store.find("suggestions", {"task_id": task_id}, order_by=("analysis", "number", "_id")):
        suggested.setdefault(document["analysis"], []).append(document)
    steps: dict[str, list[Document]] = {}
    for document in store.find("verifications", {"task_id": task_id}, order_by=("suggestion_id", "step")):
        steps.setdefault(document["suggestion_id"], []).append(document)
    return [
        Improvement(
            name=name,
            sentence=str(made[name]["sentence"]) if name in made else "This analysis has not been made, or not ended.",
            unanswered=tuple(made[name]["unanswered"]) if name in made else (),
            suggestions=tuple(
                _suggestion(one, steps.get(one["suggestion_id"], []), order) for one in suggested.get(name, [])
            ),
        )
        for name in dict.fromkeys([*asked, *made, *suggested])
    ]


def _suggestion(document: Document, steps: list[Document], order: Order) -> Suggestion:
    experiment, snippet = document["experiment"], document["snippet"]
    original = order.experiment(experiment).snippet(snippet)
    verdict, css = VERDICTS[document["verdict"]]
    return Suggestion(
        anchor=document["suggestion_id"],
        where=f"{experiment}/{snippet}",
        verdict=verdict,
        css=css,
        evidence=document["evidence"] or "The proof has not ended.",
        facts=tuple(_facts(document, original.kind.value)),
        words=tuple(json.loads(document["suggestions"])),
        notes=tuple(json.loads(document["notes"])),
        diff=unified(original.code, document["code"], ("original", "rewrite")) if document["code"] else None,
        reduction=_reduction(document),
        pairs=_pairs(steps),
        steps=tuple(step | {"data": COPIES.get(step["data_copy"])} for step in steps),
        command=f"snipbench apply {document['suggestion_id']}" if document["verdict"] == "verified" else None,
    )


def _facts(document: Document, kind: str) -> list[tuple[str, str]]:
    model = document["model"]
    facts = [
        ("advisor", f"{document['advisor']}, {model}" if model else str(document["advisor"])),
        ("potential", {"med": "medium"}.get(document["potential"], str(document["potential"]))),
    ]
    if document["share"] is not None:
        facts.append(("share of the cost", words.percent(document["share"])))
    if document["kind"] is not None and document["kind"] != kind:
        facts.append(("kind", f"{kind} → {document['kind']}"))
    if document["sandbox"] is not None:
        facts.append(("sandbox", str(document["sandbox"])))
    return facts


def _reduction(document: Document) -> Markup | None:
    """The time that the advisor expected to save beside what was saved."""
    median, low, high = (document[f"ratio_{bound}"] for bound in ("median", "low", "high"))
    estimated = document["estimated_reduction"]
    if median is None and estimated is None:
        return None
    rows = [charts.Bar("estimated", estimated, None, None, words.percent(estimated), "estimated", "by the advisor")]
    if median is None:
        rows.append(charts.Bar("measured", None, None, None, "–", "measured", "not measured"))
    elif low is None or high is None:
        rows.append(charts.Bar("measured", 1 - median, None, None, words.percent(1 - median), "measured"))
    else:
        note = f"{words.percent(1 - high)} to {words.percent(1 - low)}"
        rows.append(charts.Bar("measured", 1 - median, 1 - high, 1 - low, words.percent(1 - median), "measured", note))
    return charts.bars(rows, scale.SHARE)


def _pairs(steps: list[Document]) -> Markup | None:
    rows = []
    for step in steps:
        seconds: list[tuple[float, float]] = json.loads(step["pair_seconds"])
        if step["name"] in SESSIONS and seconds:
            ratios = tuple(candidate / original for candidate, original in seconds)
            rows.append(_row(SESSIONS[step["name"]], ratios, step))
    return charts.pair_ratios(rows) if rows else None


def _row(label: str, ratios: tuple[float, ...], step: dict[str, Any]) -> charts.Distribution:
    median, low, high = (step[f"ratio_{bound}"] for bound in ("median", "low", "high"))
    cell = words.ratio_cell({"median": median, "low": low, "high": high})
    clear = low is not None and high is not None and not low <= 1 <= high
    said = words.factor(median) if clear and median is not None else "no clear difference"
    value = Markup("<b>{}</b> <small>ratio {}, {}</small>").format(said, cell, words.several(len(ratios), "pair"))
    return charts.Distribution(label, ratios, tuple(outlier_labels(ratios)), median, low, high, value)

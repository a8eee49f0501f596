"""Runs the corpus and tells what its models learned: macro-F1 against the best baseline, with their difference.

Takes a quarter of an hour on two cores. Every row is judged by what was chosen and trained without its template.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.result import Goal, NotMeasured, Row
from snipbench.store.sqlite import SqliteStore

ORDERS = ("udfs", "queries")
"""In this order: the second's analyses learn from both."""
CONFIGS = Path(__file__).parent.parent / "configs" / "corpus"
CLEAR = Goal(at_least=0)
DECADES = Goal(at_least=2)


def run() -> Sequence[Row]:
    """Rows of what was measured and how far its costs are apart, then three for each model."""
    with tempfile.TemporaryDirectory(prefix="snipbench-corpus-") as home:
        measured = [_run(CONFIGS / f"{name}.yaml", Path(home)) for name in ORDERS]
        store = SqliteStore(Path(home) / "store.sqlite")
        try:
            reports = list(store.find("training_reports", {}))
        finally:
            store.close()
    snippets = [snippet for task in measured for each in task["experiments"] for snippet in each["snippets"]]
    failed = sum(snippet["failed"] for snippet in snippets)
    points = Row("snippets at their parameter points", len(snippets), "", note=f"{failed} failed runs")
    walls = [median for each in snippets if (median := (each["wall_seconds"] or {}).get("median"))]
    decades = Row(
        "cost of the snippets, dearest over cheapest",
        math.log10(max(walls) / min(walls)) if walls else None,
        "decades",
        DECADES,
        "medians of wall time",
    )
    learned = (row for report in sorted(reports, key=lambda one: one["analysis"]) for row in _rows(report))
    return (points, decades, *learned)


def _run(order: Path, home: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "orchestrator", "run", str(order), "--home", str(home), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 2:
        raise NotMeasured(f"{order.name} was refused")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _rows(report: dict[str, Any]) -> Iterator[Row]:
    name = f"{report['analysis']} ({report['target']})"
    if "macro_f1" not in report:
        yield Row(f"{name}: macro-F1", None, "", note=report["sentence"])
        return
    score = report["macro_f1"]
    about = f"95 % {score['low']:.2f} to {score['high']:.2f}; {report['rows']} rows, {report['templates']} templates"
    yield Row(f"{name}: macro-F1", score["value"], "", note=about)
    best = max(report["baselines"], key=lambda one: one["scores"]["macro_f1"])
    yield Row(f"{name}: best baseline", best["scores"]["macro_f1"], "", note=best["name"].replace("_", " "))
    gap = best["difference"]
    yield Row(
        f"{name}: lower end of the difference",
        gap["low"],
        "",
        CLEAR,
        f"model less baseline {gap['value']:+.2f}, 95 % {gap['low']:+.2f} to {gap['high']:+.2f}",
    )

"""What the report says of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analyzer.models.classify import run_classify
from analyzer.report import render
from snipbench.clock import SystemClock
from snipbench.domain.analysis import Classify, Metric, Search
from snipbench.store.sqlite import SqliteStore

ANALYSIS = Classify(name="by-wall", kind="classify", target=Metric.WALL_SECONDS, search=Search(trials=1))


def page(store: SqliteStore, folder: Path) -> str:
    run_classify(store, folder, "task-1", ANALYSIS, clock=SystemClock(), seed=1)
    return render(store, "task-1")


def test_page_shows_model_baselines_confusion_and_families(store: SqliteStore, tmp_path: Path, corpora: Any) -> None:
    corpora.write(store, "task-1", corpora.order_of(10), corpora.by_loops)
    text = page(store, tmp_path)
    section = text[text.index('id="model-by-wall"') : text.index('id="failures"')]
    for shown in ("the model is better", "rows only", "nearest source", "majority", "Where it errs", "size of data"):
        assert shown in section
    assert 'href="#model-by-wall"' in text[text.index("<nav>") : text.index("</nav>")]


def test_page_says_what_is_missing_and_shows_no_figures(store: SqliteStore, tmp_path: Path, corpora: Any) -> None:
    corpora.write(store, "task-1", corpora.order_of(3), corpora.by_loops)
    text = page(store, tmp_path)
    assert "Too little data to learn from, so there is no model: 3 templates of at least 10" in text
    assert "Where it errs" not in text
    assert "No advisor was asked" in text

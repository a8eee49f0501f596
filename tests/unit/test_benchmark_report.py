"""The runner of our own benchmarks: verdicts, the table, the file that keeps each benchmark's last run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.registry import BENCHMARKS, Benchmark
from benchmarks.report import Page, machine, section, table, write
from benchmarks.result import Goal, NotMeasured, Row


@pytest.mark.parametrize(
    ("value", "goal", "verdict"),
    [
        (0.3, Goal(at_most=0.3), "met"),
        (0.31, Goal(at_most=0.3), "not met"),
        (50, Goal(at_least=50), "met"),
        (49, Goal(at_least=50), "not met"),
        (-6, Goal(at_least=-5, at_most=5), "not met"),
        (None, Goal(at_most=1), "not measured"),
        (1, None, "-"),
    ],
)
def test_a_row_says_whether_its_goal_is_met(value: float | None, goal: Goal | None, verdict: str) -> None:
    assert Row("what", value, "s", goal).verdict == verdict


def test_the_table_shows_value_goal_verdict_and_reason() -> None:
    text = table([Row("help", 0.25, "s", Goal(at_most=0.3), "a|b"), Row("landing", None, "x", None, "no JDK")])
    assert text.splitlines()[2:] == [
        "| help | 0.25 | s | ≤ 0.3 | met | a\\|b |",
        "| landing |  | x |  | not measured | no JDK |",
    ]


def test_a_run_of_one_benchmark_keeps_the_others_sections_and_drops_the_unknown(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    page = Page(path, "# Head")
    one, two, gone = (section(title, [Row(title, 1, "s")]) for title in ("one", "two", "gone"))
    write({"gone": gone, "two": two}, ["two", "gone"], page)
    write({"one": one}, ["one", "two"], page)
    text = path.read_text(encoding="utf-8")
    assert text.endswith(one + "\n" + two)
    assert "gone" not in text
    write({"one": one}, ["one", "two"], page)
    assert path.read_text(encoding="utf-8") == text
    assert machine() in text


def test_a_benchmark_that_cannot_run_and_one_that_breaks_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot() -> None:
        msg = "no JDK here"
        raise NotMeasured(msg)

    def breaks() -> None:
        msg = "bug"
        raise KeyError(msg)

    outcomes = []
    for run in (cannot, breaks):
        module = ModuleType("made_up_benchmark")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "made_up_benchmark", module)
        outcomes.append(Benchmark("x", "X", "made_up_benchmark").run())
    assert outcomes == [
        ((Row("X", None, "", note="no JDK here"),), True),
        ((Row("X", None, "", note="KeyError: 'bug'"),), False),
    ]


def test_names_and_titles_are_unique() -> None:
    assert len({benchmark.name for benchmark in BENCHMARKS}) == len(BENCHMARKS)
    assert len({benchmark.title for benchmark in BENCHMARKS}) == len(BENCHMARKS)

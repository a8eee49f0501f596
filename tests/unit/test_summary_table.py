"""The table on a terminal: names stay readable however narrow the window is."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from analyzer.summary_table import summary_table
from analyzer.terminal import PLAIN_WIDTH, print_table

NAMES = ("clean-row", "clean-row.input", "clean-pandas")


def experiment() -> dict[str, Any]:
    wall = {"median": 1.0612, "low": 0.781, "high": 1.2449}
    snippets = [
        {
            "name": name,
            "kind": "arrow_python_udf",
            "role": "variant",
            "parameters": {"max_orderkey": size},
            "runs": 10,
            "failed": int(name == "clean-pandas"),
            "wall_seconds": wall,
            "cpu_seconds": {"executor": wall, "database": {"median": None, "low": None, "high": None}},
            "memory_peak_bytes": 854_800_000,
            "equal_to_baseline": None,
            "ratio_to_baseline": {"median": 0.37, "low": 0.31, "high": 0.55, "pairs": 10, "verdict": "faster"},
        }
        for size in (30_000, 300_000)
        for name in NAMES
    ]
    return {"name": "cleaning", "database": "shop", "snippets": snippets}


def shown(width: int, parameters: dict[str, Any] | None = None) -> str:
    console = Console(file=io.StringIO(), width=width)
    outcome = experiment()
    for snippet in outcome["snippets"]:
        snippet["parameters"] = parameters or snippet["parameters"]
    console.print(summary_table(outcome, console))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [100, 120, 140, 180])
def test_every_name_parameter_and_figure_is_whole(width: int) -> None:
    text = shown(width)
    words = text.replace("│", " ").split()
    assert {name: words.count(name) for name in NAMES} == dict.fromkeys(NAMES, 2)
    assert {"max_orderkey=30000", "max_orderkey=300000"} <= set(words)
    assert "0.37 (0.31–0.55)" in text
    assert "(1 failed)" in text
    assert "…" not in text


def test_on_80_columns_a_long_name_goes_on_in_the_next_line() -> None:
    text = shown(80)
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "0.37 (0.31–0.55)" in text


def test_a_wide_window_shows_every_column_in_a_box() -> None:
    header = shown(180).splitlines()[2]
    assert [name.strip() for name in header.split("┃")[1:4]] == ["snippet", "kind", "parameters"]


@pytest.mark.parametrize("width", [100, 180])
@pytest.mark.parametrize("value", ["[/tmp]", "[a-z]+ x", "[red]"])
def test_a_parameter_that_looks_like_markup_is_shown_as_it_is(width: int, value: str) -> None:
    assert f"folder={value}" in shown(width, {"folder": value})


def test_rows_wider_than_the_window_are_blocks_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    wide = {f"column_{number}": [number / 3, None] for number in range(40)}
    print_table(pa.table(wide))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= PLAIN_WIDTH
    assert len(lines) == 2 * 41
    assert lines[1].split() == ["column_1", "0.333333"]


def test_rows_that_fit_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(pa.table({"snippet": ["row", "[red]"], "bytes": [1_068_150_404.0, 0.5]}))
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["snippet", "bytes"],
        ["row", "1068150404"],
        ["[red]", "0.5"],
    ]
    print_table(pa.table({"snippet": pa.array([], pa.string())}))
    assert capsys.readouterr().out == "no rows (snippet)\n"

"""Lines over time: whole where they are short, thinned to what can be seen where they are long."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.report import render
from analyzer.report.thinning import Point, ThinnedLine
from analyzer.report.timelines import timelines
from benchmarks.synthetic import write_task
from snipbench.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    yield opened
    opened.close()


def drawn(points: list[Point], width: float = 1.0) -> list[Point]:
    line = ThinnedLine(width)
    for place, value in points:
        line.add(place, value)
    assert line.given == len(points)
    return list(line.points())


def test_points_that_have_a_column_each_stay_as_they_are() -> None:
    points: list[Point] = [(0.5, 3.0), (1.5, None), (2.5, 1.0), (7.5, 2.0), (8.5, None)]
    assert drawn(points) == points
    assert drawn([]) == []


def test_of_a_column_the_least_and_the_greatest_stay_in_their_order() -> None:
    column: list[Point] = [(0.1, 4.0), (0.2, 9.0), (0.3, 5.0), (0.4, 1.0), (0.5, 6.0)]
    assert drawn(column) == [(0.2, 9.0), (0.4, 1.0)]
    assert drawn([(0.1, 2.0), (0.2, 2.0), (1.1, 3.0)]) == [(0.1, 2.0), (1.1, 3.0)]


def test_a_gap_breaks_a_thinned_line() -> None:
    column: list[Point] = [(0.1, None), (0.2, 9.0), (0.3, None), (0.4, 1.0), (0.5, None), (0.6, 5.0)]
    assert drawn(column) == [(0.1, None), (0.2, 9.0), (0.4, 1.0), (0.5, None)]
    assert drawn([(0.1, None), (0.2, None)])[0] == (0.1, None)


def test_few_samples_are_drawn_each(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=100)
    found = timelines(store, "task-1", "exchange", [])
    assert found.note is None
    assert points_of(str(found.memory)) == [50, 50]
    assert points_of(str(found.cpu)) == [49, 49]


def test_very_many_samples_are_read_one_by_one_and_thinned(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=20_000)
    tracemalloc.start()
    found = timelines(store, "task-1", "exchange", [])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6
    assert all(count <= 2 * 1001 for count in points_of(str(found.memory)))
    assert found.note is not None
    assert found.note in render(store, "task-1")


def test_one_sample_is_no_line(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=1)
    assert timelines(store, "task-1", "exchange", []).cpu is None
    assert timelines(store, "task-1", "another", []).memory is None


def points_of(chart: str) -> list[int]:
    return [len(points.split()) for points in re.findall(r'points="([^"]*)"', chart)]

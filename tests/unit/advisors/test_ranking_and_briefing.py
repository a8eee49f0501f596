"""Which snippets an advisor is asked about, and what it is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.advisors.briefing import brief_for
from analyzer.advisors.port import TableShape
from analyzer.advisors.ranking import worst
from analyzer.advisors.shapes import table_shapes
from analyzer.material import TaskMaterial, load_material
from analyzer.models.training_table import MEASURES
from benchmarks.synthetic import write_task
from snipbench.domain.analysis import Metric
from snipbench.domain.order import Kind, Role
from snipbench.domain.plan import Phase
from snipbench.domain.result import Comparison, Equality
from snipbench.domain.run import Cost, Run
from snipbench.domain.spark_master import DRIVER
from snipbench.domain.table_facts import ColumnFacts, TableFacts
from snipbench.records.table_facts import table_facts_to_document
from snipbench.store.sqlite import SqliteStore


@pytest.fixture
def material(tmp_path: Path) -> Iterator[TaskMaterial]:
    store = SqliteStore(tmp_path / "store.sqlite")
    write_task(store, "task-1", samples=0)
    yield load_material(store, "task-1")
    store.close()


def slowed(runs: tuple[Run, ...], snippet: str, factor: float) -> tuple[Run, ...]:
    return tuple(
        replace(run, outcome=replace(run.outcome, wall_seconds=run.outcome.wall_seconds * factor))
        if run.snippet == snippet and run.outcome.wall_seconds is not None
        else run
        for run in runs
    )


def test_the_costliest_come_first_with_their_share(material: TaskMaterial) -> None:
    runs = slowed(material.runs, "row", 10.0)
    ranked = worst(material.order, runs, material.results, by=Metric.WALL_SECONDS, count=10)
    assert ranked[0].snippet == "row"
    assert [one.cost for one in ranked] == sorted((one.cost for one in ranked), reverse=True)
    assert sum(one.share or 0 for one in ranked) == pytest.approx(1)


def test_variants_known_to_be_faster_and_snippets_without_a_value_are_left_out(material: TaskMaterial) -> None:
    ranked = worst(material.order, material.runs, material.results, by=Metric.WALL_SECONDS, count=10)
    names = {one.snippet for one in ranked}
    assert "row" in names
    assert "pandas" not in names, "faster than its baseline in the material"
    assert "broken" not in names, "has no usable run"


def test_a_variant_that_is_fast_at_computing_something_else_is_ranked(material: TaskMaterial) -> None:
    other = Comparison(Equality.DIFFERENT, "made up")
    results = tuple(replace(found, comparison=other) for found in material.results)
    ranked = worst(material.order, material.runs, results, by=Metric.WALL_SECONDS, count=10)
    assert "pandas" in {one.snippet for one in ranked}


def test_floors_are_left_out(material: TaskMaterial) -> None:
    (experiment,) = material.order.experiments
    floors = tuple(
        one.model_copy(update={"role": Role.FLOOR}) if one.name == "row" else one for one in experiment.snippets
    )
    order = material.order.model_copy(update={"experiments": (experiment.model_copy(update={"snippets": floors}),)})
    ranked = worst(order, material.runs, material.results, by=Metric.WALL_SECONDS, count=10)
    assert "row" not in {one.snippet for one in ranked}


def test_no_more_than_asked_for_and_only_of_the_named_experiments(material: TaskMaterial) -> None:
    assert len(worst(material.order, material.runs, material.results, by=Metric.WALL_SECONDS, count=1)) == 1
    assert (
        worst(material.order, material.runs, material.results, by=Metric.WALL_SECONDS, count=9, experiments=["none"])
        == ()
    )


@pytest.mark.parametrize("metric", list(Metric))
def test_every_measure_can_rank(material: TaskMaterial, metric: Metric) -> None:
    ranked = worst(material.order, material.runs, material.results, by=metric, count=3)
    shares = [one.share for one in ranked]
    if metric is Metric.MEMORY_PEAK_BYTES:
        assert all(share is None for share in shares), "memory does not add up"
    else:
        assert all(share is None or 0 <= share <= 1 for share in shares)


@pytest.mark.parametrize("metric", [Metric.CPU_SECONDS, Metric.READ_BYTES, Metric.WRITE_BYTES])
def test_what_the_driver_of_a_cluster_used_is_no_snippet_s_cost(material: TaskMaterial, metric: Metric) -> None:
    assert worst(material.order, material.runs, material.results, by=metric, count=3)
    runs = tuple(
        replace(run, outcome=replace(run.outcome, costs=tuple(driven(cost) for cost in run.outcome.costs)))
        for run in material.runs
    )
    assert worst(material.order, runs, material.results, by=metric, count=3) == ()
    assert {MEASURES[metric](run) for run in runs} == {None}


def driven(cost: Cost) -> Cost:
    return replace(cost, target=DRIVER) if cost.target == "executor" else cost


def test_a_brief_tells_of_code_parameters_timings_and_metrics(material: TaskMaterial) -> None:
    (experiment,) = material.order.experiments
    brief = brief_for(material, experiment.name, "row", tables=[TableShape("t", (("a", "int"),))], plan="a plan")
    assert (brief.kind, brief.code) == (Kind(experiment.snippet("row").kind), experiment.snippet("row").code)
    assert dict(brief.parameters) == {name: tuple(values) for name, values in experiment.parameters.items()}
    assert [timing.parameters["limit"] for timing in brief.timings] == [10, 20]
    assert all(timing.wall_seconds is not None for timing in brief.timings)
    assert brief.plan == "a plan"
    measured = [run for run in material.runs if run.snippet == "row" and run.phase is Phase.MEASURED]
    assert set(measured[0].outcome.spark) <= set(brief.metrics)


def test_a_brief_of_an_unknown_snippet_is_a_key_error(material: TaskMaterial) -> None:
    with pytest.raises(KeyError):
        brief_for(material, material.order.experiments[0].name, "nobody")


def test_shapes_of_tables_tell_names_types_and_sizes_and_no_value(tmp_path: Path, material: TaskMaterial) -> None:
    (experiment,) = material.order.experiments
    name = experiment.tables[0].name
    columns = (
        ColumnFacts("a", "integer", 4, 0.0, -1.0, (1234567.0, 7654321.0)),
        ColumnFacts("b", "numeric(15,2)", 8, 0.0, -1.0),
        ColumnFacts("c", "character(1)", 2, 0.0, 3.0),
    )
    tables = (TableFacts("public", name, 600, 1, 2, columns), TableFacts("public", "unused", 1, 1, 2, columns))
    store = SqliteStore(tmp_path / "other.sqlite")
    assert table_shapes(store, "task-1", experiment) == ()
    document = table_facts_to_document("task-1", experiment.name, material.order.databases[0], tables, "2026-01-01")
    store.insert("table_facts", [document])
    (shape,) = table_shapes(store, "task-1", experiment)
    store.close()
    assert (shape.name, shape.rows) == (name, 600)
    assert shape.columns == (("a", "int"), ("b", "decimal(15,2)"), ("c", "character(1)"))
    assert "1234567" not in repr(shape)

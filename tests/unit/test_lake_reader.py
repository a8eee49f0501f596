"""Reading the lake without a JVM: tables nobody wrote, what a query may be, parameters, kept queries."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from snipbench.errors import LakeError, UsageError
from snipbench.lake.reader import has_task, kept_queries, open_table, query, rows, run_kept, task_rows
from snipbench.lake.tables import TABLES


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with two runs of one task."""
    schema = TABLES["run_metrics"].arrow_schema()
    made = [
        {
            "task_id": "task-1",
            "slot_id": f"slot-{n}",
            "target": "spark",
            "metric": "a:b",
            "value": float(n),
            "source": "s",
        }
        for n in (1, 2)
    ]
    table = pa.Table.from_pylist(made, schema=schema)
    write_deltalake(str(tmp_path / "run_metrics"), table, partition_by=["task_id"])
    return tmp_path


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_that_nobody_wrote_is_empty_with_all_its_columns(tmp_path: Path, name: str) -> None:
    assert open_table(tmp_path, name).to_table().schema == TABLES[name].arrow_schema()
    assert task_rows(tmp_path, name, "task-1").num_rows == 0
    assert not has_task(tmp_path, name, "task-1")
    assert query(tmp_path, f"select * from {name}").column_names == list(TABLES[name].column_names)


def test_a_query_sees_what_was_written_and_binds_its_parameters(lake: Path) -> None:
    found = query(lake, "select slot_id from run_metrics where value >= :least and metric = 'a:b' -- :x", {"least": 2})
    assert found.to_pylist() == [{"slot_id": "slot-2"}]
    assert has_task(lake, "run_metrics", "task-1")
    assert not has_task(lake, "run_metrics", "task-2")


def test_a_parameter_is_a_value_whatever_it_contains(lake: Path) -> None:
    text = "' or true; drop table run_metrics --"
    assert query(lake, "select :text as said", {"text": text}).to_pylist() == [{"said": text}]
    assert query(lake, "select value::int as v from run_metrics where slot_id = :s", {"s": text}).num_rows == 0


def test_joins_windows_and_common_table_expressions_are_answered(lake: Path) -> None:
    sql = "with m as (select *, row_number() over (order by value) as n from run_metrics) select max(n) as n from m"
    assert query(lake, sql).to_pylist() == [{"n": 2}]
    assert query(lake, "select count(*) as n from run_metrics m left join runs r using (slot_id)").num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "drop table run_metrics",
        "create table x as select 1",
        "insert into run_metrics select * from run_metrics",
        "copy (select 1) to '/tmp/x.csv'",
        "select 1; select 2",
        "attach 'x.db'",
        "set threads = 1",
        "pragma version",
        "install httpfs",
        "",
    ],
)
def test_anything_but_one_reading_statement_is_refused(lake: Path, sql: str) -> None:
    with pytest.raises(UsageError):
        query(lake, sql)


@pytest.mark.parametrize("source", ["read_csv('/etc/hostname')", "read_text('/etc/hostname')", "'/etc/hostname'"])
def test_files_beside_the_lake_cannot_be_read(lake: Path, source: str) -> None:
    with pytest.raises(UsageError):
        query(lake, f"select * from {source}")


def test_a_mistake_names_the_valid_tables(lake: Path) -> None:
    with pytest.raises(UsageError, match=r"(?s)metrics.*the tables are orders, tasks"):
        query(lake, "select * from metrics")


@pytest.mark.parametrize("parameters", [{}, {"n": 1, "m": 2}])
def test_parameters_too_few_or_too_many_are_named(lake: Path, parameters: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="takes the parameters n"):
        query(lake, "select :n", parameters)


@pytest.mark.parametrize("name", sorted(kept_queries()))
def test_every_kept_query_runs_on_an_empty_lake(tmp_path: Path, name: str) -> None:
    assert kept_queries()[name].description
    assert run_kept(tmp_path, name).num_rows == 0


def test_only_what_computes_the_same_is_a_faster_variant(tmp_path: Path) -> None:
    where = {"task_id": "task-1", "experiment": "exchange", "parameters": "{}", "baseline": "row"}
    equalities = {"same": "equal", "near": "equal_within_tolerance", "wrong": "different", "unknown": None}
    rows_of = {
        "comparisons": [
            where | {"snippet": name, "measure": "wall_seconds", "ratio_median": 0.5, "verdict": "faster"}
            for name in equalities
        ],
        "summaries": [where | {"snippet": name, "equality": found} for name, found in equalities.items()],
    }
    for name, made in rows_of.items():
        table = pa.Table.from_pylist(made, schema=TABLES[name].arrow_schema())
        write_deltalake(str(tmp_path / name), table, partition_by=["task_id"])
    assert run_kept(tmp_path, "faster_variants")["snippet"].to_pylist() == ["near", "same"]


def test_kept_queries_tell_their_names_and_parameters(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="worst_functions"):
        run_kept(tmp_path, "best_functions")
    with pytest.raises(UsageError, match="it has n"):
        run_kept(tmp_path, "worst_functions", {"count": 3})


def test_rows_are_what_json_can_take() -> None:
    table = pa.table(
        {
            "at": pa.array([datetime(2026, 1, 31, 9, tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
            "raw": pa.array([b"\x01\xff"]),
            "odd": pa.array([math.nan]),
            "many": pa.array([[1, 2]]),
            "none": pa.array([None], pa.string()),
        }
    )
    assert rows(table) == [
        {"at": "2026-01-31T09:00:00.000000Z", "raw": "01ff", "odd": None, "many": [1, 2], "none": None}
    ]


def test_a_table_of_an_earlier_version_gets_its_new_columns_as_null(tmp_path: Path) -> None:
    schema = TABLES["run_metrics"].arrow_schema().remove(5)
    row = {"task_id": "task-1", "slot_id": "s", "target": "t", "metric": "m", "value": 1.0}
    write_deltalake(str(tmp_path / "run_metrics"), pa.Table.from_pylist([row], schema=schema))
    assert task_rows(tmp_path, "run_metrics", "task-1").to_pylist() == [{**row, "source": None}]


def test_a_broken_table_is_an_error_of_the_lake(lake: Path) -> None:
    for entry in (lake / "run_metrics" / "_delta_log").iterdir():
        entry.write_text("{broken", encoding="utf-8")
    with pytest.raises(LakeError, match="run_metrics"):
        query(lake, "select * from run_metrics")

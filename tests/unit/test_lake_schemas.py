"""The lake's schemas keep what the design promises, and the committed page is theirs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from snipbench.errors import UsageError
from snipbench.lake.columns import Column, ColumnType, Table
from snipbench.lake.documentation import lake_markdown
from snipbench.lake.tables import TABLES, THREAD_ZEPPELIN_COLUMNS, table_of

ROOT = Path(__file__).parents[2]


def test_every_table_of_the_design_is_there() -> None:
    promised = {
        *("orders", "tasks", "experiments", "snippets", "environments", "runs", "attempts", "samples", "run_metrics"),
        *("function_calls", "summaries", "comparisons", "features", "models", "predictions", "suggestions"),
        "verifications",
    }
    assert promised <= set(TABLES)


def test_runs_begin_with_the_columns_of_the_plan() -> None:
    assert TABLES["runs"].column_names[:6] == ("slot_id", "experiment", "snippet", "parameters", "phase", "repetition")


def test_function_calls_begin_with_the_published_seventeen() -> None:
    published = (
        "ingestion_date thread_id process_id unique_app_id class_name function_name execution_time start_time end_time "
        "memory_usage cpu_usage recursion_limit arguments keyword_arguments return_value source_code_compressed "
        "source_code_md5_hash"
    )
    assert tuple(published.split()) == THREAD_ZEPPELIN_COLUMNS
    following = ("call_id", "parent_id", "exception", "task_id", "slot_id")
    assert TABLES["function_calls"].column_names == (*THREAD_ZEPPELIN_COLUMNS, *following)


@pytest.mark.parametrize("name", TABLES)
def test_names_that_carry_a_unit_document_the_same_unit(name: str) -> None:
    for column in TABLES[name].columns:
        assert column.description
        for unit in ("seconds", "bytes"):
            if f"_{unit}" in f"_{column.name}" and column.type is not ColumnType.STRING and column.name[:3] != "too":
                assert column.unit == unit, column.name
        if column.type is ColumnType.TIMESTAMP:
            assert column.unit == "UTC, microseconds"


@pytest.mark.parametrize("name", TABLES)
def test_arrow_and_spark_schemas_agree(name: str) -> None:
    arrow = TABLES[name].arrow_schema()
    spark = TABLES[name].spark_json()["fields"]
    assert [field.name for field in arrow] == [field["name"] for field in spark]
    long = {field.name for field in arrow if pa.types.is_int64(field.type)}
    assert long == {field["name"] for field in spark if field["type"] == "long"}


def test_the_committed_page_is_current() -> None:
    assert (ROOT / "docs" / "lake.md").read_text(encoding="utf-8") == lake_markdown()


def test_an_unknown_table_names_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="orders, tasks"):
        table_of("nope")


def test_a_table_needs_unique_columns_and_a_task() -> None:
    with pytest.raises(ValueError, match="task_id"):
        Table("x", "x", (Column("a", ColumnType.STRING, "a"),))

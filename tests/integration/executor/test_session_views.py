"""Temporary views over JDBC."""

from __future__ import annotations

from typing import Any

import pytest

from snipbench.domain.order import Table
from snipbench.errors import ChildError

pytestmark = [pytest.mark.spark, pytest.mark.postgres]

COUNT = "select count(*), sum(l_orderkey), sum(l_extendedprice) from lineitem"


def test_views_are_made_once_and_again_only_where_something_changed(runner: Any) -> None:
    assert runner.prepare().created == ()
    changed = runner.prepare(tables=(Table(name="lineitem"), Table(name="orders", fetch_size=500)))
    assert changed.created == ("orders",)
    assert changed.views == ("lineitem", "orders")
    assert runner.prepare().created == ("orders",)


def test_schemas_are_told(runner: Any) -> None:
    schemas = dict(runner.prepare().schemas)
    assert "o_totalprice DECIMAL(15,2)" in schemas["orders"]


def test_only_the_tables_of_the_experiment_are_there(runner: Any) -> None:
    runner.prepare(tables=(Table(name="region"),))
    assert runner.run(runner.call("sql", "select * from region")).failure is None
    assert runner.run(runner.call("sql", "select * from lineitem")).failure.kind == "AnalysisException"


def test_a_partitioned_view_reads_the_same_rows_in_several_tasks(runner: Any) -> None:
    whole = runner.hash(runner.call("sql", COUNT))
    runner.prepare(tables=(Table(name="lineitem", partition_column="l_orderkey", partitions=3),))
    assert runner.hash(runner.call("sql", COUNT)) == whole
    outcome = runner.ok(runner.call("sql", "select l_comment from lineitem"))
    assert outcome.spark["tasks"] == 3


@pytest.mark.parametrize("column", ["l_shipdate", "l_extendedprice"])
def test_dates_and_decimals_partition_too(runner: Any, column: str) -> None:
    whole = runner.hash(runner.call("sql", COUNT))
    runner.prepare(tables=(Table(name="lineitem", partition_column=column, partitions=2),))
    assert runner.hash(runner.call("sql", COUNT)) == whole


def test_a_cached_view_is_read_from_spark_and_not_from_the_database(runner: Any) -> None:
    whole = runner.hash(runner.call("sql", COUNT))
    runner.prepare(source="cached")
    outcome = runner.ok(runner.call("sql", COUNT))
    assert "jdbc_query_seconds" not in outcome.spark
    assert runner.hash(runner.call("sql", COUNT)) == whole
    udf = runner.call(
        "arrow_python_udf",
        "def run(key):\n    return key",
        input="select l_orderkey from lineitem",
        returns="bigint",
    )
    assert runner.ok(udf).spark["python_sent_bytes"] > 0
    assert runner.prepare().created == ("lineitem", "orders")
    assert "jdbc_query_seconds" in runner.ok(runner.call("sql", COUNT)).spark


def test_a_missing_table_is_named_and_the_session_goes_on(runner: Any) -> None:
    with pytest.raises(ChildError) as caught:
        runner.prepare(tables=(Table(name="nowhere"),))
    assert caught.value.kind == "PSQLException"
    assert 'relation "nowhere" does not exist' in caught.value.message
    runner.prepare()
    runner.ok(runner.call("sql", COUNT))


def test_a_wrong_password_is_an_error_that_does_not_show_it(runner: Any) -> None:
    with pytest.raises(ChildError) as caught:
        runner.prepare(password="quite-secret", user="nobody")
    assert "quite-secret" not in f"{caught.value}{caught.value.traceback}"

"""Every kind of snippet, run on real data in a real session."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import RETAINED

pytestmark = [pytest.mark.spark, pytest.mark.postgres]

INPUT = "select cast(l_quantity as double) as quantity from lineitem where l_orderkey <= :most"
MOST = {"most": 2000}

PLUS_ONE = {
    "sql": "select cast(l_quantity as double) + 1 from lineitem where l_orderkey <= :most",
    "dataframe": """
        def run(spark, most):
            chosen = spark.table("lineitem").where(f"l_orderkey <= {most}")
            return chosen.selectExpr("cast(l_quantity as double) + 1")
        """,
    "python_udf": "def run(quantity):\n    return quantity + 1",
    "arrow_python_udf": "def run(quantity):\n    return quantity + 1",
    "pandas_udf": "import pandas as pd\ndef run(quantity: pd.Series) -> pd.Series:\n    return quantity + 1",
    "arrow_udf": """
        import pyarrow as pa
        import pyarrow.compute as pc

        def run(*columns: pa.Array) -> pa.Array:
            return pc.add(columns[0], 1)
        """,
}


def plus_one(runner: Any, kind: str, **fields: Any) -> Any:
    udf = {} if kind in {"sql", "dataframe"} else {"input": INPUT, "returns": "double"}
    return runner.call(kind, PLUS_ONE[kind], MOST, **(udf | fields))


@pytest.mark.parametrize("kind", PLUS_ONE)
def test_a_run_tells_its_time_its_cost_and_what_spark_did(runner: Any, kind: str) -> None:
    outcome = runner.ok(plus_one(runner, kind))
    assert 0 < outcome.wall_seconds <= outcome.command_seconds
    assert [cost.target for cost in outcome.costs] == ["executor", "database:shop"]
    executor = outcome.costs[0]
    assert executor.cpu_seconds > 0
    assert executor.memory_bytes_after > 0
    assert outcome.spark["jobs"] >= 1
    assert outcome.spark["tasks"] >= 1
    assert outcome.spark["input_records"] > 1000
    assert outcome.spark["executor_run_seconds"] > 0
    assert outcome.spark["jdbc_fetch_seconds"] > 0
    assert outcome.memory.jvm_pools_peak_bytes > 50_000_000
    assert outcome.session_id == runner.engine.session_id


@pytest.mark.parametrize("kind", [kind for kind in PLUS_ONE if kind.endswith("udf")])
def test_a_udf_run_tells_what_went_to_python_and_back(runner: Any, kind: str) -> None:
    outcome = runner.ok(plus_one(runner, kind))
    assert outcome.spark["python_sent_bytes"] > 1000
    assert outcome.spark["python_returned_bytes"] > 1000
    assert outcome.spark["python_run_seconds"] >= 0
    assert outcome.memory.python_workers_peak_bytes > 10_000_000


def test_a_query_without_python_has_no_python_metrics_though_workers_of_earlier_runs_are_there(runner: Any) -> None:
    runner.ok(plus_one(runner, "pandas_udf"))
    outcome = runner.ok(plus_one(runner, "sql"))
    assert "python_sent_bytes" not in outcome.spark
    assert outcome.memory.python_workers_peak_bytes == 0


def test_all_forms_of_one_computation_give_one_hash(runner: Any) -> None:
    assert len({runner.hash(plus_one(runner, kind)) for kind in PLUS_ONE}) == 1


def test_parameters_are_bound_and_not_pasted(runner: Any) -> None:
    code = "select count(*) from orders where o_orderstatus = :status"
    bound = runner.call("sql", code, {"status": "x' or '1' = '1"})
    assert runner.hash(bound) == runner.hash(runner.call("sql", "select count(*) from orders where false"))


def test_a_udf_takes_all_columns_of_its_input_whatever_their_names(runner: Any) -> None:
    udf = runner.call(
        "python_udf",
        "def total(key, again, price):\n    return float(key + again)",
        input="select o_orderkey, o_orderkey, o_totalprice as `price.in.dollars` from orders",
        returns="double",
        entry="total",
    )
    native = runner.call("sql", "select cast(o_orderkey + o_orderkey as double) from orders")
    assert runner.hash(udf) == runner.hash(native)


def test_udf_code_may_use_its_own_helpers_classes_and_constants(runner: Any) -> None:
    code = """
        from __future__ import annotations
        from dataclasses import dataclass

        STEP = 1

        @dataclass
        class Step:
            size: int

        def plus(value, step: Step):
            return value + step.size

        def run(quantity):
            return plus(quantity, Step(STEP))
        """
    udf = runner.call("python_udf", code, MOST, input=INPUT, returns="double")
    assert runner.hash(udf) == runner.hash(plus_one(runner, "sql"))


def test_a_function_gets_its_input_as_a_fresh_frame_each_time(runner: Any) -> None:
    code = """
        def run(frame, most):
            assert list(frame.columns) == ["quantity"] and len(frame) > 1000
            assert "seen" not in frame.attrs
            frame["quantity"] = 0.0
            frame.attrs["seen"] = True
            return len(frame)
        """
    call = runner.call("function", code, MOST, input=INPUT)
    runner.ok(call)
    second = runner.ok(
        runner.call("function", code.replace("frame[", "assert frame['quantity'].max() > 0; frame["), MOST, input=INPUT)
    )
    assert second.wall_seconds < second.overhead_seconds["load"] + 60
    assert second.spark["jobs"] == 0


def test_the_memory_of_a_function_is_that_of_its_own_process(runner: Any) -> None:
    small = runner.ok(runner.call("function", "def run():\n    return 1"))
    big = runner.ok(runner.call("function", "def run():\n    return len(bytearray(300_000_000))"))
    again = runner.ok(runner.call("function", "def run():\n    return 1"))
    grown = big.memory.python_workers_peak_bytes - small.memory.python_workers_peak_bytes
    assert 250_000_000 < grown < 400_000_000
    assert again.memory.python_workers_peak_bytes < big.memory.python_workers_peak_bytes - 200_000_000


def test_work_that_a_dataframe_snippet_does_while_building_is_timed(runner: Any) -> None:
    code = """
        import time

        def run(spark):
            time.sleep(0.4)
            return spark.range(1)
        """
    outcome = runner.ok(runner.call("dataframe", code))
    assert outcome.spark["build_seconds"] >= 0.4
    assert outcome.wall_seconds >= outcome.spark["build_seconds"]


def test_processor_time_burnt_in_a_udf_shows_at_the_executor(runner: Any) -> None:
    code = """
        import time

        def run(value):
            end = time.process_time() + 0.5
            while time.process_time() < end:
                pass
            return value
        """
    burnt = runner.ok(runner.call("python_udf", code, input="select o_orderkey from orders limit 1", returns="int"))
    executor, database = burnt.costs
    assert 0.5 <= executor.cpu_seconds < 2.5
    assert database.cpu_seconds < 0.5


def test_the_plan_can_be_shown(runner: Any) -> None:
    plan = runner.engine.explain(plus_one(runner, "python_udf"))
    assert "BatchEvalPython" in plan
    assert "JDBCRelation" in plan
    assert runner.engine.explain(runner.call("function", "def run():\n    return 1")) == ""


def test_what_a_snippet_prints_is_kept_with_its_run(runner: Any) -> None:
    noisy = "def run(value):\n    print('from the worker')\n    return value"
    outcome = runner.ok(runner.call("python_udf", noisy, input="select o_orderkey from orders limit 1", returns="int"))
    assert "from the worker" in outcome.output_tail
    quiet = runner.ok(runner.call("sql", "select 1"))
    assert quiet.output_tail == ""
    assert quiet.output_bytes == 0


def test_the_parts_of_the_overhead_add_up(runner: Any) -> None:
    outcome = runner.ok(plus_one(runner, "sql"))
    assert {"load", "reset_peaks", "counters", "command", "metrics", "peaks", "isolation"} <= set(
        outcome.overhead_seconds
    )
    assert all(seconds >= -0.001 for seconds in outcome.overhead_seconds.values())


def test_a_run_of_more_jobs_than_spark_remembers_has_no_stage_metrics(runner: Any) -> None:
    code = f"""
        def run(spark):
            for _ in range({2 * RETAINED}):
                spark.range(3).collect()
            return spark.range(1)
        """
    outcome = runner.ok(runner.call("dataframe", code))
    assert outcome.spark["jobs"] >= 2 * RETAINED
    assert outcome.spark["executor_run_seconds"] is None

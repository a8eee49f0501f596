"""Snippets that break rules are recorded for what they are, and leave nothing behind for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from snipbench.domain.order import Table
from snipbench.domain.run import RunStatus
from snipbench.errors import ChildError
from snipbench.resources.process_tree import ProcessTreeSource
from tests.waiting import until

from .conftest import CONTROL, ONE_ROW

pytestmark = [pytest.mark.spark, pytest.mark.postgres]

SLOW_TO_END = """
    import time
    from pyspark.sql import functions as F

    def run(spark):
        spark.conf.set("spark.sql.shuffle.partitions", "7")
        print("set", flush=True)
        asleep = F.udf(lambda number: time.sleep(1000), "int")
        return spark.range(1).select(asleep("id"))
"""
"""Changes a setting; its worker ends some seconds after its task: later than a cancelled request is interrupted."""


@pytest.fixture(scope="session", autouse=True)
def _slow_view(database: Any) -> None:
    """A view of the database whose rows take for ever."""
    with psycopg.connect(**database.admin.parameters, autocommit=True) as session:
        session.execute("create view slow as select i, pg_sleep(30)::text as slept from generate_series(1, 100) i")
        session.execute(f"grant select on slow to {database.run.user}")


@pytest.fixture(autouse=True)
def unharmed(runner: Any, control_hash: str) -> Iterator[None]:
    """After each test the session is there and the control snippet gives what it gave before the first."""
    yield
    assert runner.engine.lost is None
    runner.prepare()
    assert runner.hash(runner.call("sql", CONTROL)) == control_hash


@pytest.fixture
def fails(runner: Any) -> Callable[..., Any]:
    """Run a dataframe snippet that must fail with that kind of failure and leave the session usable."""

    def check(kind: str, code: str) -> Any:
        outcome = runner.run(runner.call("dataframe", code))
        assert outcome.status is RunStatus.FAILED
        assert outcome.failure.kind == kind, outcome.failure
        assert runner.engine.lost is None
        return outcome.failure

    return check


def test_an_error_is_told_with_the_users_own_lines(fails: Any) -> None:
    failure = fails("ZeroDivisionError", "def run(spark):\n    return helper()\n\ndef helper():\n    return 1 / 0")
    assert failure.message == "division by zero"
    assert "return 1 / 0" in failure.traceback
    assert "session.py" not in failure.traceback


def test_an_error_in_a_python_worker_keeps_its_name_and_message(runner: Any) -> None:
    code = "def run(value):\n    raise LookupError('no such key:\\nnone')"
    outcome = runner.run(runner.call("python_udf", code, file="snippets/look.py", **ONE_ROW))
    assert outcome.status is RunStatus.FAILED
    assert (outcome.failure.kind, outcome.failure.message) == ("LookupError", "no such key:\nnone")
    assert 'File "snippets/look.py", line 2, in run' in outcome.failure.traceback


def test_an_error_of_the_database_keeps_its_name_and_message(runner: Any) -> None:
    runner.prepare(tables=(Table(name="orders"), Table(name="slow")))
    with psycopg.connect(**runner.database.admin.parameters, autocommit=True) as session:
        session.execute("alter view slow rename to gone")
    outcome = runner.run(runner.call("sql", "select * from slow"))
    with psycopg.connect(**runner.database.admin.parameters, autocommit=True) as session:
        session.execute("alter view gone rename to slow")
    assert outcome.status is RunStatus.FAILED
    assert outcome.failure.kind == "PSQLException"
    assert 'relation "slow" does not exist' in outcome.failure.message


def test_a_syntax_error_is_told_with_its_line(fails: Any) -> None:
    assert "line 2" in fails("SyntaxError", "\ndef run(spark) return").traceback


def test_a_missing_entry_is_told(fails: Any) -> None:
    assert "entry" in fails("MissingEntry", "def other(spark):\n    return None").message


def test_returning_nothing_fails(fails: Any) -> None:
    assert "must return a DataFrame" in fails("ReturnedNothing", "def run(spark):\n    spark.range(3)").message


def test_returning_something_else_fails(fails: Any) -> None:
    fails("ReturnedNoDataFrame", "def run(spark):\n    return spark.range(3).collect()")


def test_a_function_that_returns_an_iterator_has_not_done_its_work(runner: Any) -> None:
    outcome = runner.run(runner.call("function", "def run():\n    yield 1"))
    assert outcome.failure.kind == "ReturnedIterator"


def test_leaving_the_interpreter_is_a_failure_like_any_other(fails: Any) -> None:
    fails("SystemExit", "import sys\ndef run(spark):\n    sys.exit(3)")


@pytest.mark.parametrize(
    "change",
    [
        "spark.conf.set('spark.sql.shuffle.partitions', '7')",
        "spark.sql('set spark.sql.ansi.enabled = false')",
        "type(spark).builder.getOrCreate().conf.set('spark.sql.session.timeZone', 'Asia/Tokyo')",
        "spark.conf.unset('spark.sql.shuffle.partitions')",
    ],
)
def test_changing_a_setting_fails(fails: Any, change: str) -> None:
    failure = fails("ChangedSettings", f"def run(spark):\n    {change}\n    return spark.range(3)")
    assert "spark.sql." in failure.message


@pytest.mark.parametrize(
    "cache",
    ["spark.table('orders').cache().count()", "spark.sql('cache table orders')", "spark.range(9).rdd.cache().count()"],
)
def test_leaving_something_cached_fails(fails: Any, cache: str) -> None:
    fails("LeftCachedView", f"def run(spark):\n    {cache}\n    return spark.range(3)")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("ChangedViews", "spark.range(3).createOrReplaceTempView('orders')"),
        ("ChangedViews", "spark.range(3).createOrReplaceTempView('another')"),
        ("ChangedViews", "spark.range(3).createGlobalTempView('for_all')"),
        ("ChangedViews", "spark.catalog.dropTempView('orders')"),
        ("LeftFunction", "spark.udf.register('double_it', lambda x: x)"),
        ("LeftTable", "spark.range(3).write.saveAsTable('kept')"),
        ("LeftTable", "spark.sql('create database mine')"),
    ],
)
def test_leaving_something_behind_in_the_catalog_fails(fails: Any, kind: str, change: str) -> None:
    fails(kind, f"def run(spark):\n    {change}\n    return spark.range(3)")


def test_what_one_run_leaves_in_its_module_is_not_there_in_the_next(runner: Any) -> None:
    code = """
        SEEN = []

        def run():
            SEEN.append(1)
            assert len(SEEN) == 1
        """
    runner.ok(runner.call("function", code))
    runner.ok(runner.call("function", code))


def test_printing_without_measure_is_bounded(runner: Any) -> None:
    code = "def run():\n    for _ in range(30):\n        print('x' * 1_000_000)\n    return 1"
    outcome = runner.ok(runner.call("function", code))
    assert outcome.output_bytes >= 30_000_000
    assert len(outcome.output_tail) <= 8000


@pytest.mark.parametrize(
    ("kind", "code", "fields"),
    [
        ("function", "import time\ndef run():\n    time.sleep(1000)", {}),
        ("function", "def run():\n    while True:\n        pass", {}),
        ("dataframe", "import time\ndef run(spark):\n    time.sleep(1000)", {}),
        ("python_udf", "import time\ndef run(value):\n    time.sleep(1000)", ONE_ROW),
        ("python_udf", "def run(value):\n    while True:\n        pass", ONE_ROW),
        ("python_udf", "while True:\n    pass", ONE_ROW),
        ("sql", "select count(*) from range(1000000000000) where id % 3 = 1", {}),
    ],
    ids=["sleep", "loop", "building", "udf-sleep", "udf-loop", "module-loop", "spark"],
)
def test_a_snippet_that_never_ends_is_cancelled_and_the_session_goes_on(
    runner: Any, kind: str, code: str, fields: dict[str, Any]
) -> None:
    outcome = runner.run(runner.call(kind, code, **fields), timeout_seconds=1.0)
    assert outcome.status is RunStatus.TIMEOUT
    assert outcome.failure.kind == "Timeout"
    assert outcome.wall_seconds is None
    assert runner.engine.lost is None


def test_an_answer_of_the_jvm_that_nobody_read_is_not_taken_for_the_next_one(runner: Any) -> None:
    code = """
def run(spark):
    jvm = spark._jvm
    try:
        jvm.java.lang.Thread.sleep(1250)
    finally:
        jvm.java.lang.System.nanoTime()
"""
    outcome = runner.run(runner.call("dataframe", code), timeout_seconds=0.5)
    assert outcome.status is RunStatus.TIMEOUT
    assert runner.engine.lost is None
    assert runner.ok(runner.call("sql", CONTROL)).spark["jobs"]


def test_a_statement_of_the_database_ends_with_its_run(runner: Any) -> None:
    runner.prepare(tables=(Table(name="orders"), Table(name="slow")))
    outcome = runner.run(runner.call("sql", "select * from slow"), timeout_seconds=1.0)
    assert outcome.status is RunStatus.TIMEOUT
    assert runner.engine.lost is None
    assert runner.statements() == 0


def test_a_run_whose_leader_went_is_interrupted_and_the_session_goes_on(runner: Any) -> None:
    runner.prepare(tables=(Table(name="orders"), Table(name="slow")))
    source = ProcessTreeSource()

    def leader_went() -> None:
        until(lambda: runner.statements() == 1)
        runner.engine.interrupt()
        runner.cancel_statements()

    thread = threading.Thread(target=leader_went)
    thread.start()
    assert runner.run(runner.call("sql", "select * from slow")).status in {RunStatus.TIMEOUT, RunStatus.FAILED}
    thread.join()
    assert runner.run(runner.call("sql", CONTROL)).status is RunStatus.TIMEOUT
    assert runner.engine.go_on(source)
    assert runner.ok(runner.call("sql", CONTROL)).costs
    assert runner.statements() == 0


def test_an_interrupted_run_leaves_nothing_to_the_next_leader_s(runner: Any) -> None:
    def leader_went() -> None:
        until(lambda: "set" in runner.engine.supervisor.take_output()[0])
        runner.engine.interrupt()

    thread = threading.Thread(target=leader_went)
    thread.start()
    assert runner.run(runner.call("dataframe", SLOW_TO_END)).status is RunStatus.TIMEOUT
    thread.join()
    assert runner.engine.go_on(ProcessTreeSource())
    runner.ok(runner.call("sql", CONTROL))


def test_a_statement_that_begins_after_the_first_try_to_end_it_ends_too(runner: Any) -> None:
    """As one does whose connection was being made."""
    runner.prepare(tables=(Table(name="orders"), Table(name="slow")))
    tried: list[int] = []

    def cancel_statements() -> None:
        tried.append(runner.statements())
        if len(tried) > 1:
            runner.cancel_statements()

    outcome = runner.engine.run(
        runner.call("sql", "select * from slow"), timeout_seconds=1.0, cancel_statements=cancel_statements
    )
    assert outcome.status is RunStatus.TIMEOUT
    assert runner.engine.lost is None
    assert runner.statements() == 0


def test_silent_nulls_are_caught(runner: Any) -> None:
    code = "from decimal import Decimal\ndef run(price):\n    return price + Decimal(1)"
    fields = {"input": "select o_totalprice from orders where o_orderkey < 100", "returns": "double"}
    with pytest.raises(ChildError) as caught:
        runner.engine.fingerprint(runner.call("python_udf", code, **fields), 60.0)
    assert caught.value.kind == "AllNull"
    allowed = runner.engine.fingerprint(runner.call("python_udf", code, **fields, allow_all_null=True), 60.0)
    assert allowed.all_null_columns


def test_nulls_from_nulls_are_no_trap(runner: Any) -> None:
    fields = {"input": "select cast(null as double) from orders where o_orderkey < 100", "returns": "double"}
    facts = runner.engine.fingerprint(runner.call("python_udf", "def run(value):\n    return value", **fields), 60.0)
    assert facts.all_null_columns
    assert facts.rows > 0


def test_an_untimed_pass_that_never_ends_is_cancelled_too(runner: Any) -> None:
    call = runner.call("python_udf", "import time\ndef run(value):\n    time.sleep(1000)", **ONE_ROW)
    with pytest.raises(ChildError) as caught:
        runner.engine.fingerprint(call, 1.0)
    assert caught.value.kind == "Timeout"


def test_an_untimed_pass_that_is_cancelled_leaves_nothing_to_the_next_snippet(runner: Any) -> None:
    with pytest.raises(ChildError) as caught:
        runner.engine.fingerprint(runner.call("dataframe", SLOW_TO_END), 1.0)
    assert caught.value.kind == "Timeout"
    runner.ok(runner.call("sql", CONTROL))

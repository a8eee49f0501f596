"""A session whose executors are on a standalone cluster: its results, and its ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from executor.engine import Engine
from orchestrator.databases.port import ReferenceDatabase
from snipbench.domain.order import Table
from snipbench.domain.run import RunStatus
from tests.servers.spark_cluster import QUICK, spark_cluster

from .conftest import CONTROL, Runner

pytestmark = [pytest.mark.spark, pytest.mark.postgres]

CONF = (
    ("spark.executor.memory", "512m"),
    ("spark.executor.extraJavaOptions", QUICK),
    ("spark.sql.shuffle.partitions", "2"),
    ("spark.driver.memory", "1g"),
)
ORDERS = Table(name="orders", partition_column="o_orderkey", partitions=2)


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url


@pytest.fixture(scope="module")
def remote(master: str, new_engine: Callable[..., Engine], database: ReferenceDatabase) -> Iterator[Any]:
    """A session on the cluster. It has all of its cores; the last test kills it."""
    runner = Runner(new_engine(master=master, conf=CONF), database)
    yield runner
    runner.engine.stop()


def test_a_worker_s_own_error_is_told_as_a_local_one_is(remote: Any) -> None:
    remote.prepare(tables=(ORDERS,))
    code = "def run(key):\n    raise ValueError(f'no {key}')"
    outcome = remote.run(remote.call("python_udf", code, input="select 1", returns="int"))
    assert outcome.failure.kind == "ValueError"
    assert outcome.failure.message == "no 1"
    assert outcome.memory.peak_bytes is None


def test_a_cancelled_run_leaves_neither_tasks_nor_statements_and_the_session_goes_on(
    remote: Any, database: ReferenceDatabase, control_hash: str
) -> None:
    with psycopg.connect(**database.admin.parameters, autocommit=True) as session:
        session.execute("create or replace view endless as select pg_sleep(30)::text as slept")
        session.execute(f"grant select on endless to {database.run.user}")
    remote.prepare(tables=(ORDERS, Table(name="endless")))
    for code in ("select * from endless", "select count(*) from range(1000000000000) where id % 3 = 1"):
        outcome = remote.run(remote.call("sql", code), timeout_seconds=1.0)
        assert outcome.status is RunStatus.TIMEOUT
        assert remote.engine.lost is None
        assert remote.statements() == 0
    assert remote.hash(remote.call("sql", CONTROL)) == control_hash


def test_a_result_is_that_of_a_session_on_this_machine(remote: Any, runner: Any) -> None:
    code = "import pyarrow.compute as pc\ndef run(price):\n    return pc.add(price, 1.0)"
    call = runner.call("arrow_udf", code, input="select cast(o_totalprice as double) from orders", returns="double")
    remote.prepare(tables=(ORDERS,))
    assert remote.hash(call) == runner.hash(call) is not None


def test_the_cluster_is_free_for_the_next_session_when_one_is_killed(
    remote: Any, master: str, new_engine: Callable[..., Engine]
) -> None:
    remote.engine.kill()
    following = new_engine(master=master, conf=CONF)
    assert following.target.name == "driver"
    following.stop()

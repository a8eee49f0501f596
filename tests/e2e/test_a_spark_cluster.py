"""An order on a standalone cluster of Spark: every form has the same result, and what nobody sees is null.

That results are those of a session on this machine is shown in tests/integration/executor/test_on_a_cluster.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.material import load_material
from benchmarks.composed import hashes
from orchestrator.databases.server import free_port
from snipbench.domain.task import Environment
from snipbench.store.sqlite import SqliteStore
from tests.servers.spark_cluster import CONF, spark_cluster

from .conftest import json_of, run_command

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(600)]

ORDER = f"""\
name: MASTER
spark: {{master: "MASTER", conf: {CONF}}}
databases:
  shop: {{dataset: {{generator: tpch, scale: 0.005}}}}
experiments:
  - name: forms
    database: shop
    tables: [{{name: lineitem, partition_column: l_orderkey, partitions: 2}}]
    warmups: 0
    repetitions: 1
    snippets:
      - {{name: native, kind: sql, code: select cast(l_quantity as double) + 1 from lineitem}}
      - name: frame
        kind: dataframe
        variant_of: native
        code: |
          def run(spark):
              return spark.table("lineitem").selectExpr("cast(l_quantity as double) + 1").repartition(2)
      - name: arrow
        kind: arrow_udf
        variant_of: native
        input: select cast(l_quantity as double) from lineitem
        returns: double
        code: |
          import pyarrow as pa
          import pyarrow.compute as pc
          import snipbench

          @snipbench.profile
          def plus(values, one):
              return pc.add(values, one)

          def run(quantity: pa.Array) -> pa.Array:
              return plus(quantity, 1.0)
"""


def order(folder: Path, master: str) -> Path:
    """The order's file for a master."""
    path = folder / "order.yaml"
    path.write_text(ORDER.replace("name: MASTER", "name: clustered").replace("MASTER", master))
    return path


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with spark_cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url


def test_an_order_runs_on_a_cluster_and_tells_what_nobody_saw(master: str, home: Path, tmp_path: Path) -> None:
    done = run_command("run", order(tmp_path, master), "--home", home, "--json")
    there = json_of(done)
    assert (done.returncode, there["status"]) == (0, "completed"), done.stderr
    (result,) = {hashed for (_, snippet, _), hashed in hashes(there).items() if not snippet.endswith(".input")}
    assert result is not None
    assert there["notes"] == [
        f"Spark ran at {master}: CPU time and memory of its executors are not read (null); those of Spark's own "
        "metrics are theirs"
    ]
    for snippet in there["experiments"][0]["snippets"]:
        assert snippet["cpu_seconds"]["executor"]["median"] is None
        assert snippet["memory_peak_bytes"] is None
        assert snippet["equal_to_baseline"] in {None, True}
    runs, samples, environment_of_task = stored(home, there["task_id"])
    for run in runs:
        assert {cost["target"] for cost in run["costs"] if cost["cpu_seconds"] is not None} == {
            "driver",
            "database:shop",
        }
        assert run["spark"]["executor_run_seconds"] > 0
        assert run["spark"]["executor_cpu_seconds"] > 0
    assert {sample["target"] for sample in samples} <= {"driver", "database:shop"}
    assert environment_of_task.facts["spark"]["executors"] == 1
    report = Path(there["report"]).read_text("utf-8")
    assert there["notes"][0].replace("'", "&#39;") in report


def test_a_master_that_is_not_there_fails_the_task_with_the_reason(home: Path, tmp_path: Path) -> None:
    nobody = f"spark://127.0.0.1:{free_port()}"
    done = run_command("run", order(tmp_path, nobody), "--home", home)
    reason = f"no Spark master answers at {nobody} ({nobody.removeprefix('spark://')}: Connection refused)"
    assert done.returncode == 2
    assert f"error: {reason}" in done.stderr
    status = json_of(run_command("status", "latest", "--home", home, "--json"))
    assert status["status"] == "failed"
    assert status["failure"]["message"] == reason


def stored(home: Path, task_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Environment]:
    """Runs, samples and environment of the task."""
    store = SqliteStore(home / "store.sqlite")
    try:
        material = load_material(store, task_id)
        assert material.environment is not None
        runs, samples = (list(store.find(name, {"task_id": task_id})) for name in ("runs", "samples"))
        return runs, samples, material.environment
    finally:
        store.close()

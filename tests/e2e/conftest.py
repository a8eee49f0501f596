"""Running the command as a person does: another process, its streams, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def command_line(*arguments: object) -> list[str]:
    """``snipbench ARGUMENTS`` from this checkout."""
    return [sys.executable, "-m", "orchestrator", *map(str, arguments)]


def environment() -> dict[str, str]:
    """This process's, with this checkout first on the path, and a machine lock of its own: nothing is compared here."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "only")
    lock = Path(tempfile.gettempdir()) / f"snipbench-tests-{os.getuid()}-{worker}.lock"
    return {**os.environ, "PYTHONPATH": str(ROOT), "SNIPBENCH_MACHINE_LOCK": str(lock)}


def run_command(*arguments: object, timeout: float = 900, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, with these variables in its environment besides; the caller judges the exit code."""
    return subprocess.run(
        command_line(*arguments),
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def json_of(done: subprocess.CompletedProcess[str]) -> Any:
    """The one document on standard output; shows standard error where it is none."""
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        pytest.fail(f"exit code {done.returncode}, no JSON on standard output:\n{done.stdout}\n{done.stderr}")


SIBLING = """\
name: sibling
description: the quickstart's small sibling
seed: 7
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 2}}
monitor: {interval: 200ms}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: exchange
    database: shop
    tables: [lineitem]
    source: cached
    warmups: 1
    repetitions: 10
    parameters: {max_orderkey: [5000]}
    snippets:
      - name: row
        kind: python_udf
        input: select cast(l_quantity as double) as quantity from lineitem where l_orderkey <= :max_orderkey
        returns: double
        code: |
          def run(quantity):
              for _ in range(2000):  # so that this one is slower on any machine at any time
                  pass
              return quantity + 1.0
      - name: arrow-row
        kind: arrow_python_udf
        variant_of: row
        code: |
          def run(quantity):
              return quantity + 1.0
      - name: pandas
        kind: pandas_udf
        variant_of: row
        code: |
          import pandas as pd

          def run(quantity: pd.Series) -> pd.Series:
              return quantity + 1.0
      - name: arrow
        kind: arrow_udf
        variant_of: row
        code: |
          import pyarrow as pa
          import pyarrow.compute as pc

          def run(quantity: pa.Array) -> pa.Array:
              return pc.add(quantity, 1.0)
      - name: native
        kind: sql
        variant_of: row
        code: select cast(l_quantity as double) + 1 from lineitem where l_orderkey <= :max_orderkey
  - name: queries
    database: shop
    tables: [orders, {name: lineitem, partition_column: l_orderkey, partitions: 2, fetch_size: 5000}]
    warmups: 1
    repetitions: 2
    snippets:
      - name: sorted
        kind: sql
        code: select o_orderstatus, count(*) as orders from orders group by o_orderstatus order by o_orderstatus
      - name: unsorted
        kind: dataframe
        variant_of: sorted
        code: |
          def run(spark):
              return spark.table("orders").groupBy("o_orderstatus").count().orderBy("o_orderstatus", ascending=False)
      - name: largest
        kind: function
        input: select cast(l_extendedprice as double) as price from lineitem
        code: |
          def run(lines):
              return float(lines["price"].max())
"""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all end-to-end tests, so that the prototype is built once; its name is none that a shell likes."""
    return tmp_path_factory.mktemp("a home ü")


@pytest.fixture(scope="session")
def sibling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The order file."""
    path = tmp_path_factory.mktemp("order") / "sibling.yaml"
    path.write_text(SIBLING, "utf-8")
    return path

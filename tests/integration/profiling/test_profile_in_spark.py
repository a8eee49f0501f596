"""Profiled functions as UDFs of every Python kind: each call is counted once, in whichever worker it happened."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from snipbench.profiling import read_directory

ROOT = Path(__file__).parents[3]

PROGRAM = """
import sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf, udf
import pandas as pd
from snipbench.profiling import DirectorySink, configure, profile

configure(sink=DirectorySink(sys.argv[1]), task_id="task-1", app_id="this-program")
spark = (
    SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    .config("spark.sql.execution.arrow.maxRecordsPerBatch", "100").getOrCreate()
)

def run(kind, function):
    configure(slot_id=kind)
    spark.range(0, 1_000, 1, 4).select(function("id")).write.format("noop").mode("overwrite").save()

@profile
def inner(value):
    return value + 1

@profile
def row(value):
    return inner(value)

@profile
def arrow_row(value):
    return value + 1

@profile
def series(values: pd.Series) -> pd.Series:
    return values + 1

run("python_udf", udf(row, "long", useArrow=False))
run("arrow_python_udf", udf(arrow_row, "long", useArrow=True))
run("pandas_udf", pandas_udf(series, "long"))
import time
from snipbench.profiling import read_directory
end = time.monotonic() + 60  # the last calls of a worker are written within the flush interval
while len(read_directory(sys.argv[1]).rows) < 3_012 and time.monotonic() < end:
    time.sleep(0.05)
spark.stop()
"""


@pytest.mark.spark
def test_every_call_in_spark_s_workers_is_counted_once_with_task_and_slot(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(PROGRAM))
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "calls")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = read_directory(tmp_path / "calls")
    assert found.broken_lines == 0
    rows = found.rows
    assert Counter((row["slot_id"], row["function_name"]) for row in rows) == {
        ("python_udf", "row"): 1_000,
        ("python_udf", "inner"): 1_000,
        ("arrow_python_udf", "arrow_row"): 1_000,
        ("pandas_udf", "series"): 12,
    }
    assert len({row["call_id"] for row in rows}) == 3_012
    assert {(row["task_id"], row["unique_app_id"]) for row in rows} == {("task-1", "this-program")}
    assert all(row["source_code_md5_hash"] for row in rows)
    by_id = {row["call_id"]: row["function_name"] for row in rows}
    assert all(by_id[row["parent_id"]] == "row" for row in rows if row["function_name"] == "inner")

"""The Spark session that writes Delta: small, quiet, quick to start, gone when the landing is done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from snipbench import class_archive
from snipbench.errors import LakeError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMALL_ROWS = 50_000
"""Below this, time goes into starting, not into rows."""

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    # The rows of a task are one partition: without this Spark sorts them by it first.
    "spark.sql.maxConcurrentOutputFileWriters": "4",
    # A replaced partition gets rows of its own task only; staging has seen to that.
    "spark.databricks.delta.replaceWhere.constraintCheck.enabled": "false",
    "spark.databricks.delta.properties.defaults.dataSkippingNumIndexedCols": "8",
}
JVM_OPTIONS = "-XX:+UseSerialGC -XX:-UsePerfData"
SMALL_SETTINGS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.databricks.delta.stats.collect": "false",
}
"""For few rows: each costs more to prepare than it saves."""
SMALL_JVM_OPTIONS = f"{JVM_OPTIONS} -XX:TieredStopAtLevel=1"


@contextmanager
def delta_session(
    jars: Sequence[Path], scratch: Path, *, rows: int, archive: str | None = None
) -> Iterator[SparkSession]:
    """A session that can write Delta.

    Args:
        jars: Delta's jars.
        scratch: folder for Spark's own files.
        rows: about how many rows will be written.
        archive: the JVM's options about its class data archive; by default the one that there is.

    Raises:
        LakeError: Spark did not start.
    """
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("snipbench landing").master("local[2]").config(map=dict(SETTINGS))
    small = rows < SMALL_ROWS
    options = [
        SMALL_JVM_OPTIONS if small else JVM_OPTIONS,
        archive or class_archive.options("landing"),
        shlex.quote(f"-Djava.io.tmpdir={scratch}"),  # Spark splits them as a shell does
    ]
    if small:
        builder = builder.config(map=dict(SMALL_SETTINGS))
    builder = builder.config(
        map={
            "spark.driver.extraClassPath": ":".join(str(jar) for jar in jars),
            "spark.driver.extraJavaOptions": " ".join(filter(None, options)),
            "spark.local.dir": str(scratch),
            "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        }
    )
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        # pyspark raises RuntimeError, Py4J's errors or OSError, whatever came first.
        raise LakeError(f"Spark did not start for landing: {error}") from error
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()

"""Starts Spark with every setting that matters stated, and proves with a tiny job that its parts fit together."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from pathlib import Path
from tempfile import mkdtemp

from pyspark.sql import SparkSession

from executor.session import cluster
from executor.session.peaks import DAEMONS_VARIABLE
from executor.session.rules import StartFailed
from snipbench import class_archive
from snipbench.domain.spark_master import is_local

PINNED: dict[str, str] = {
    "spark.app.name": "snipbench",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.retainedJobs": "5000",
    "spark.ui.retainedStages": "5000",
    "spark.sql.ui.retainedExecutions": "200",
    "spark.python.worker.reuse": "true",
    "spark.python.task.killTimeout": "500ms",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    "spark.sql.execution.pythonUDF.arrow.enabled": "false",
    "spark.task.maxFailures": "1",
    "spark.task.reaper.enabled": "true",
    "spark.task.reaper.killTimeout": "-1",
}
"""Defaults of every session; an order's ``spark.conf`` may override each. They are recorded with the session."""

LOCAL: dict[str, str] = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.python.daemon.module": "executor.session.daemon",
}
"""Further defaults where Spark's executors live in this machine's JVM, and so have our modules."""

LOG_PATTERN = "%d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1}: %m%n%ex"


def start(
    master: str, conf: dict[str, str], jars: tuple[str, ...], work: Path, logs: Path, *, self_test: bool = True
) -> SparkSession:
    """A running Spark session, tested unless that is waived.

    Raises:
        StartFailed: see there.
    """
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["PYSPARK_PYTHON"] = conf.get("spark.pyspark.python", sys.executable)
    os.environ["SPARK_LOCAL_DIRS"] = str(work / "local")
    os.environ[DAEMONS_VARIABLE] = mkdtemp(prefix="daemons-", dir=work)
    reaching = LOCAL if is_local(master) else cluster.settings(cluster.own_address(master))
    settings = reaching | settings_of(conf, jars, work, _write_log_settings(work, logs))
    try:
        builder = SparkSession.builder.master(master)
        for name, value in settings.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
    except Exception as error:
        raise StartFailed(_explain(f"Spark did not start{_at(master)}: {type(error).__name__}: {error}")) from error
    if not is_local(master):
        cluster.await_executors(spark, master)
    try:
        if self_test:
            _prove(spark)
    except Exception as error:
        raise StartFailed(_explain(f"Spark started but failed its self-test: {error}")) from error
    return spark


def settings_of(conf: dict[str, str], jars: tuple[str, ...], work: Path, log_settings: Path) -> dict[str, str]:
    """All settings given to Spark: pinned ones, then the order's, then what must be as it is."""
    options = [
        class_archive.options("session"),
        conf.get("spark.driver.extraJavaOptions", ""),
        f"-Dlog4j2.configurationFile={log_settings.as_uri()}",
        shlex.quote(f"-Djava.io.tmpdir={work}"),  # Spark splits them as a shell does
    ]
    return (
        PINNED
        | conf
        | {
            "spark.jars": ",".join(jars),
            "spark.sql.warehouse.dir": (work / "warehouse").as_uri(),
            "spark.driver.extraJavaOptions": " ".join(filter(None, options)),
        }
    )


def versions(spark: SparkSession) -> dict[str, str]:
    """Versions of what runs."""
    properties = spark.sparkContext._jvm.java.lang.System
    return {
        "spark_version": spark.version,
        "python_version": platform.python_version(),
        "java_version": str(properties.getProperty("java.runtime.version")),
        "scala_version": str(spark.sparkContext._jvm.scala.util.Properties.versionNumberString()),
    }


def _write_log_settings(work: Path, logs: Path) -> Path:
    """Spark's own messages go to a file, so that the process's output is what snippets print."""
    path = work / "log4j2.properties"
    place = json.dumps(str(logs))[1:-1]  # properties know the same escapes; beyond ASCII they are read as Latin-1
    path.write_text(
        "rootLogger.level = warn\n"
        "rootLogger.appenderRef.file.ref = file\n"
        "appender.file.type = RollingFile\n"
        "appender.file.name = file\n"
        f"appender.file.fileName = {place}/spark.log\n"
        f"appender.file.filePattern = {place}/spark-%i.log\n"
        "appender.file.layout.type = PatternLayout\n"
        f"appender.file.layout.pattern = {LOG_PATTERN}\n"
        "appender.file.policies.type = Policies\n"
        "appender.file.policies.size.type = SizeBasedTriggeringPolicy\n"
        "appender.file.policies.size.size = 10MB\n"
        "appender.file.strategy.type = DefaultRolloverStrategy\n"
        "appender.file.strategy.max = 2\n"
    )
    return path


def _prove(spark: SparkSession) -> None:
    """Rows go to a Python worker and back through Arrow."""
    import pyarrow.compute
    from pyspark.sql import functions as F  # noqa: N812 - its customary name

    # Without type hints Spark takes it for a scalar function.
    plus_one = F.arrow_udf(lambda values: pyarrow.compute.add(values, 1), "long")
    frame = spark.range(8).select(plus_one("id").alias("value"))
    if (total := sum(row["value"] for row in frame.collect())) != 36:
        raise AssertionError(f"1 + 2 + … + 8 came out as {total}, not 36")


def _at(master: str) -> str:
    return "" if is_local(master) else f" at {master} (is it a standalone master of the same version of Spark?)"


def _explain(message: str) -> str:
    import pandas
    import pyarrow
    import pyspark

    return (
        f"{message[:4000]}\n"
        f"Versions: pyspark {pyspark.__version__}, Python {platform.python_version()}, pandas {pandas.__version__}, "
        f"pyarrow {pyarrow.__version__}, JAVA_HOME {os.environ.get('JAVA_HOME', 'not set')}. "
        "Spark needs a JDK 17 or 21 and the package versions of the lock file; `snipbench doctor` checks them."
    )

"""``python -m analyzer.landing.archiving FOLDER JAR...``: a small landing, whose classes are archived at its end."""

from __future__ import annotations

import sys
from pathlib import Path

from analyzer.landing.session import delta_session
from snipbench.class_archive import recording


def main() -> None:
    """Write a partition of a Delta table from Parquet, and replace it."""
    folder, jars = Path(sys.argv[1]), [Path(jar) for jar in sys.argv[2:]]
    with delta_session(jars, folder, rows=100, archive=recording(folder)) as spark:
        rows = spark.range(100).selectExpr("id", "cast(id as string) as text", "'a' as task_id")
        rows.write.parquet(str(folder / "rows"))
        writer = spark.read.parquet(str(folder / "rows")).write.format("delta").partitionBy("task_id")
        writer.mode("append").save(str(folder / "table"))
        writer.mode("overwrite").option("replaceWhere", "task_id = 'a'").save(str(folder / "table"))
        gateway = spark.sparkContext._gateway
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()  # it writes the archive as it leaves


if __name__ == "__main__":
    main()

"""``python -m executor.session.archiving FOLDER``: a short life of a session, whose classes are archived at its end."""

from __future__ import annotations

import sys
from pathlib import Path

from executor.session.start import start
from snipbench.class_archive import recording

QUERIES = (
    "select k, sum(v) as s, count(distinct v) as c from numbers group by k order by s desc limit 5",
    "select a.k, b.v from numbers a join numbers b on a.v = b.v where a.k > 1",
    "select k, row_number() over (partition by k order by v) as place, upper(t) as u from numbers",
    "select distinct regexp_replace(t, '1', '2') from numbers union all select cast(d as string) from numbers",
)


def main() -> None:
    """Start a session, do a little of everything that snippets do, end it."""
    folder = Path(sys.argv[1])
    (folder / "local").mkdir()
    spark = start("local[*]", {"spark.driver.extraJavaOptions": recording(folder)}, (), folder, folder)
    spark.range(1000).selectExpr(
        "id as v", "id % 7 as k", "cast(id as string) as t", "cast(id as decimal(12, 2)) as d"
    ).createOrReplaceTempView("numbers")
    for query in QUERIES:
        spark.sql(query).write.format("noop").mode("overwrite").save()
    spark.udf.register("plus", lambda value: value + 1, "long")
    spark.sql("select plus(v) from numbers").write.format("noop").mode("overwrite").save()
    spark.table("numbers").cache().count()
    _end(spark)


def _end(spark: object) -> None:
    """Stop Spark and wait for the JVM, which writes the archive as it leaves."""
    gateway = spark.sparkContext._gateway  # type: ignore[attr-defined]
    spark.stop()  # type: ignore[attr-defined]
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main()

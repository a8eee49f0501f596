"""The order that ``snipbench init`` writes: small, commented, and it runs."""

from __future__ import annotations

from pathlib import Path

from snipbench.errors import UsageError

_ORDER = """\
# yaml-language-server: $schema=order.schema.json
# An order for snipbench. `snipbench check order.yaml` says whether it is right, `snipbench plan order.yaml` lists
# its runs, `snipbench run order.yaml` makes them.
name: example
description: one sum of prices in SQL and as a DataFrame, and one addition as a UDF
seed: 7                                # decides the random order of the runs
schedule: randomized                   # or interleaved, sequential

spark:
  master: "local[*]"
  conf: {spark.sql.shuffle.partitions: 4}

databases:
  shop:                                # a PostgreSQL server of its own, thrown away afterwards
    dataset: {generator: tpch, scale: 0.01}

experiments:
  - name: prices
    database: shop
    tables: [lineitem]                 # become views of that name in Spark
    warmups: 2                         # run first, not measured
    repetitions: 10                    # fewer than 10 support no claim
    timeout: 60s
    parameters:
      max_orderkey: [15000, 60000]     # every snippet runs with each value
    snippets:
      - name: sum-sql                  # a baseline: what its variants are compared with
        kind: sql
        code: |
          select l_returnflag, sum(l_extendedprice) as price
          from lineitem
          where l_orderkey <= :max_orderkey
          group by l_returnflag
      - name: sum-dataframe
        kind: dataframe
        variant_of: sum-sql            # must give the same result
        file: snippets/sum_dataframe.py

      - name: add-row                  # a UDF over all rows of its input
        kind: python_udf
        input: select cast(l_quantity as double) as quantity from lineitem where l_orderkey <= :max_orderkey
        returns: double
        code: |
          def run(quantity):
              return quantity + 1
      - name: add-native
        kind: sql
        variant_of: add-row
        code: select cast(l_quantity as double) + 1 as quantity from lineitem where l_orderkey <= :max_orderkey
"""

_DATAFRAME = '''\
"""The sum of prices as a DataFrame. `run` gets the session, and the parameters by name."""

from pyspark.sql import functions as F


def run(spark, max_orderkey):
    lines = spark.table("lineitem").where(F.col("l_orderkey") <= max_orderkey)
    return lines.groupBy("l_returnflag").agg(F.sum("l_extendedprice").alias("price"))
'''


def write_example(directory: Path) -> tuple[Path, ...]:
    """Write ``order.yaml``, its snippet and its JSON Schema below ``directory``, which is made if need be.

    Raises:
        UsageError: one of the files is there already (nothing is written), or the folder cannot be written.
    """
    from orchestrator.orders.schema import order_schema_text

    contents = {
        directory / "order.yaml": _ORDER,
        directory / "order.schema.json": order_schema_text(),
        directory / "snippets" / "sum_dataframe.py": _DATAFRAME,
    }
    there = [str(path) for path in contents if path.exists() or path.is_symlink()]
    if there:
        raise UsageError(f"nothing written: already there: {', '.join(there)}")
    try:
        for path in contents:
            path.parent.mkdir(parents=True, exist_ok=True)
        for path, text in contents.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write below {str(directory)!r}: {error.strerror}") from error
    return tuple(contents)

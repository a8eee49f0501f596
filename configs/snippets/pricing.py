from datetime import date

from pyspark.sql import functions as f


def run(spark):
    """After TPC-H query 1, of one year's lines: totals per return flag and line status."""
    shipped = f.col("l_shipdate").between(f.lit(date(1998, 1, 1)), f.lit(date(1998, 9, 2)))
    lines = spark.table("lineitem").where(shipped)
    return (
        lines.groupBy("l_returnflag", "l_linestatus")
        .agg(
            f.sum("l_quantity").alias("quantity"),
            f.sum("l_extendedprice").alias("base_price"),
            f.sum(f.col("l_extendedprice") * (1 - f.col("l_discount"))).alias("discounted_price"),
            f.avg("l_discount").alias("average_discount"),
            f.count("*").alias("lines"),
        )
        .orderBy("l_returnflag", "l_linestatus")
    )

from datetime import date
from decimal import Decimal

from pyspark.sql import functions as f


def run(spark):
    """After TPC-H query 14: the share of a month's revenue that promoted parts brought."""
    shipped = f.col("l_shipdate")
    revenue = f.col("l_extendedprice") * (1 - f.col("l_discount"))
    promoted = f.when(f.col("p_type").like("PROMO%"), revenue).otherwise(f.lit(0))
    return (
        spark.table("lineitem")
        .where((shipped >= f.lit(date(1995, 9, 1))) & (shipped < f.lit(date(1995, 10, 1))))
        .join(spark.table("part"), f.col("l_partkey") == f.col("p_partkey"))
        .agg((f.lit(Decimal("100.00")) * f.sum(promoted) / f.sum(revenue)).alias("promotion_percent"))
    )

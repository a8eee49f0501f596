from datetime import date
from decimal import Decimal

from pyspark.sql import functions as f


def run(spark):
    """After TPC-H query 6: what a year's small discounts were worth."""
    shipped, discount = f.col("l_shipdate"), f.col("l_discount")
    return (
        spark.table("lineitem")
        .where((shipped >= f.lit(date(1994, 1, 1))) & (shipped < f.lit(date(1995, 1, 1))))
        .where(discount.between(Decimal("0.05"), Decimal("0.07")) & (f.col("l_quantity") < 24))
        .agg(f.sum(f.col("l_extendedprice") * discount).alias("revenue"))
    )

from datetime import date

from pyspark.sql import functions as f

DAY = date(1995, 3, 15)
LAST = date(1995, 7, 15)


def run(spark):
    """After TPC-H query 3: the ten open orders of one market segment worth most."""
    customers = spark.table("customer").where("c_mktsegment = 'BUILDING'")
    orders = spark.table("orders").where(f.col("o_orderdate") < f.lit(DAY))
    # Nothing is shipped more than 121 days after its order.
    shipped = f.col("l_shipdate")
    lines = spark.table("lineitem").where((shipped > f.lit(DAY)) & (shipped < f.lit(LAST)))
    return (
        customers.join(orders, f.col("c_custkey") == f.col("o_custkey"))
        .join(lines, f.col("l_orderkey") == f.col("o_orderkey"))
        .groupBy("l_orderkey", "o_orderdate")
        .agg(f.sum(f.col("l_extendedprice") * (1 - f.col("l_discount"))).alias("revenue"))
        .select("l_orderkey", "revenue", "o_orderdate")
        .orderBy(f.desc("revenue"), "o_orderdate", "l_orderkey")
        .limit(10)
    )

def run(spark):
    table = spark.range(3)
    return table.where(id >)

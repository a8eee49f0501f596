"""Orders for tests that need one, whatever it asks for."""

ONE_SUM = """\
name: one-sum
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: sums
    database: shop
    tables: [lineitem]
    snippets: [{name: total, kind: sql, code: select sum(l_quantity) as total from lineitem}]
"""
"""The smallest order."""
HEAD = """\
name: small
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: one
    database: shop
    tables: [lineitem]
    snippets:
"""
"""Of an order, to which a test adds snippets."""
FRAME_ORDER = f"{HEAD}      - {{name: frame, kind: dataframe, file: frame.py}}\n"
FRAME = "def run(spark):\n    return spark.table('lineitem')\n"
"""What its file holds."""
ENDLESS = """\
name: endless
spark: {master: "local[2]"}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: endless
    database: shop
    tables: [orders]
    warmups: 0
    timeout: 600s
    snippets:
      - name: product
        kind: sql
        code: select count(*) from orders a cross join orders b cross join orders c where a.o_orderkey < c.o_custkey
"""
"""Its one query ends by being cancelled only."""

"""Tables of rewrites: forms that mean the same, and forms that only look like it on the data that is there.

The data of ``conftest.SCRIPT`` hold no NULL, no duplicate, no tie, no capital, no blank: a rewrite that is wrong about
one of these gives the right result on them.
"""

from __future__ import annotations

from dataclasses import dataclass

INPUTS = {
    "weight": ("select weight from sales", "double"),
    "units": ("select units from sales", "int"),
    "note": ("select note from sales", "string"),
    "word": ("select product from sales", "string"),
}

ORIGINALS: dict[str, tuple[str, str]] = {
    "count": ("sql", "select count(units) as n from sales"),
    "other": ("sql", "select id from sales where note <> 'n1' or note is null"),
    "outside": ("sql", "select id from sales where shop not in (select shop from closed)"),
    "loose": ("sql", "select a, b from loose"),
    "halves": ("sql", "select b from loose where a < 5 union all select b from loose where a >= 5"),
    "ranks": ("sql", "select id, rank() over (order by weight) as place from sales"),
    "tenth": ("sql", "select id, weight * 0.1D as w from sales"),
    "rounded": ("sql", "select id, round(amount, 0) as a from sales"),
    "year": ("sql", "select id from sales where sold between date'2021-01-01' and date'2021-12-31'"),
    "all": ("sql", "select count(*) as n from sales"),
    "total": ("sql", "select sum(units) as s from sales"),
    "named": ("sql", "select id from sales where product = 'p1'"),
    "noted": ("sql", "select id from sales where note = 'n1'"),
    "sorted": ("sql", "select id, weight from sales order by weight desc, id"),
    "millions": ("sql", "select sum(cast(units as bigint) * 1000000) as s from sales"),
    "greatest": ("sql", "select max(code) as m from sales"),
    "names": ("sql", "select s.id, h.name from sales s left join shops h on h.id = s.shop"),
    "mean": ("sql", "select avg(units) as a from sales"),
    "products": ("sql", "select product, count(*) as n, sum(amount) as t from sales group by product"),
    "kinds": ("sql", "select count(distinct product) as n from sales"),
    "partners": ("sql", "select s.id from sales s join shops h on h.id = s.shop"),
    "sum": ("sql", "select sum(weight) as s from sales"),
    "plus:weight": ("python_udf", "def run(x):\n    return None if x is None else x + 1.0\n"),
    "round:weight": (
        "python_udf",
        "import math\n\ndef run(x):\n    return None if x is None or not math.isfinite(x) else float(round(x))\n",
    ),
    "modulo:units": ("python_udf", "def run(x):\n    return None if x is None else x % 7\n"),
    "lower:word": ("python_udf", "def run(s):\n    return None if s is None else s.lower()\n"),
    "loop:units": (
        "function",
        "def run(frame):\n    total = 0\n    for value in frame['units']:\n        if value == value:\n"
        "            total += int(value)\n    return total\n",
    ),
}
"""By name: kind and code. What stands behind a colon names the input."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A form that is to take the place of an original."""

    name: str
    original: str
    code: str
    kind: str = "sql"
    caught: str = "another result on mutated"
    """Where a wrong one is found out, and by what."""


def _frame(body: str) -> str:
    head = "from pyspark.sql import Window, functions as F\n\n"
    return f"{head}def run(spark):\n    sales = spark.table('sales')\n    {body}\n"


def _connected(statement: str) -> str:
    """The beginning of a function that talks to the database itself, past the views."""
    return (
        "def run(spark):\n"
        "    leaf = spark.table('sales')._jdf.queryExecution().analyzed().collectLeaves().head()\n"
        "    options = leaf.relation().jdbcOptions()\n"
        "    driver = spark._jvm.org.postgresql.Driver()\n"
        "    connection = driver.connect(options.url(), options.asConnectionProperties())\n"
        "    connection.createStatement().execute('set default_transaction_read_only = off')\n"
        "    try:\n"
        f"        connection.createStatement().execute('{statement}')\n"
        "    finally:\n"
        "        connection.close()\n"
    )


WRONG = (
    Rewrite("NULLs are counted", "count", "select count(*) as n from sales"),
    Rewrite("NULLs are lost by a comparison", "other", "select id from sales where note <> 'n1'"),
    Rewrite(
        "NOT IN as an anti join", "outside", "select id from sales left anti join closed on closed.shop = sales.shop"
    ),
    Rewrite("duplicates are lost", "loose", "select distinct a, b from loose"),
    Rewrite("UNION for UNION ALL", "halves", "select b from loose where a < 5 union select b from loose where a >= 5"),
    Rewrite("ties by row_number", "ranks", "select id, row_number() over (order by weight) as place from sales"),
    Rewrite("floats rounded", "tenth", "select id, round(weight * 0.1D, 6) as w from sales"),
    Rewrite("decimals rounded half to even", "rounded", "select id, bround(amount, 0) as a from sales"),
    Rewrite(
        "the last day is lost",
        "year",
        "select id from sales where sold >= date'2021-01-01' and sold < date'2021-12-31'",
    ),
    Rewrite("hard-coded", "all", "select 2000L as n"),
    Rewrite("negatives are forgotten", "total", "select sum(abs(units)) as s from sales"),
    Rewrite("case is ignored", "named", "select id from sales where lower(product) = 'p1'"),
    Rewrite("a trailing blank is ignored", "noted", "select id from sales where rtrim(note) = 'n1'"),
    Rewrite(
        "not sorted",
        "sorted",
        "select id, weight from sales",
        caught="another result on clone: the rows are not in the baseline's order",
    ),
    Rewrite(
        "an integer overflows",
        "millions",
        "select sum(units * 1000000) as s from sales",
        caught="fails on extreme, where the original does not: ArithmeticException",
    ),
    Rewrite(
        "text compared as numbers",
        "greatest",
        "select cast(max(cast(code as int)) as string) as m from sales",
        caught="fails on mutated, where the original does not: NumberFormatException",
    ),
    Rewrite("inner for left join", "names", "select s.id, h.name from sales s join shops h on h.id = s.shop"),
    Rewrite("mean over all rows", "mean", "select sum(units) / count(*) as a from sales"),
    Rewrite(
        "cached",
        "products",
        _frame(
            "result = sales.groupBy('product').agg(F.count('*').alias('n'), F.sum('amount').alias('t'))\n"
            "    return result.cache()"
        ),
        "dataframe",
        caught="LeftCachedView",
    ),
    Rewrite(
        "kept from the first run",
        "all",
        "import builtins\n\n\ndef run(spark):\n    if not hasattr(builtins, 'kept_answer'):\n"
        "        builtins.kept_answer = spark.table('sales').count()\n"
        "    return spark.range(1).selectExpr(f'{builtins.kept_answer}L as n')\n",
        "dataframe",
    ),
    Rewrite(
        "lazy",
        "loop:units",
        "def run(frame):\n    return (int(value) for value in frame['units'])\n",
        "function",
        caught="ReturnedIterator",
    ),
    Rewrite(
        "half away from zero",
        "round:weight",
        "select floor(weight + 0.5D) * 1.0D from sales",
        caught="another result on clone",
    ),
    Rewrite("modulo with the sign of the dividend", "modulo:units", "select units % 7 from sales"),
    Rewrite("the range of the keys", "all", "select count(*) as n from sales where id between 1 and 2000"),
    Rewrite("as many rows as there are", "tenth", "select id, weight * 0.1D as w from sales limit 2000"),
    Rewrite(
        "no greatest of nothing",
        "greatest",
        "select code as m from sales order by code desc nulls last limit 1",
        caught="another result on empty",
    ),
    Rewrite(
        "zero for nothing", "total", "select coalesce(sum(units), 0) as s from sales", caught="another result on empty"
    ),
    Rewrite("everybody has a partner", "partners", "select id from sales where shop is not null"),
    Rewrite(
        "NaN becomes NULL",
        "plus:weight",
        "import pandas as pd\n\n\ndef run(x: pd.Series) -> pd.Series:\n    return x + 1.0\n",
        "pandas_udf",
        caught="another result on extreme",
    ),
    Rewrite(
        "only English letters",
        "lower:word",
        "select translate(product, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') from sales",
    ),
    Rewrite(
        "a text is short",
        "lower:word",
        "select lower(substr(product, 1, 100)) from sales",
        caught="another result on extreme",
    ),
    Rewrite(
        "kept on disk",
        "all",
        "from pathlib import Path\n\n\ndef run(spark):\n    kept = Path('/tmp/kept_answer')\n"
        "    if not kept.exists():\n        kept.write_text(str(spark.table('sales').count()))\n"
        "    return spark.range(1).selectExpr(f'{kept.read_text()}L as n')\n",
        "dataframe",
    ),
    Rewrite(
        "a frame with two faces",
        "all",
        "from pyspark.sql.classic.dataframe import DataFrame\n\n\nclass Faces(DataFrame):\n"
        "    def toDF(self, *names):\n        return self.sparkSession.range(1).selectExpr('2000L as c0')\n\n\n"
        "def run(spark):\n    frame = spark.table('sales').selectExpr('count(*) as n')\n"
        "    return Faces(frame._jdf, spark)\n",
        "dataframe",
    ),
    Rewrite(
        "hashes and messages patched",
        "all",
        "import hashlib\nimport json\n\n\ndef run(spark):\n    hashlib.sha256 = hashlib.md5\n    dumps = json.dumps\n"
        "    json.dumps = lambda *values, **options: dumps(*values, **options).replace('different', 'equal')\n"
        "    return spark.range(1).selectExpr('2000L as n')\n",
        "dataframe",
    ),
    Rewrite(
        "the data changed to fit",
        "count",
        _connected("delete from sales where units is null")
        + "    return spark.sql('select count(*) as n from sales')\n",
        "dataframe",
        caught="permission denied",
    ),
)

RIGHT = (
    Rewrite("count after a filter", "count", "select count(*) as n from sales where units is not null"),
    Rewrite("null-safe comparison", "other", "select id from sales where not (note <=> 'n1')"),
    Rewrite("one filter for two", "halves", "select b from loose where a < 5 or a >= 5"),
    Rewrite(
        "rank in a frame",
        "ranks",
        _frame("return sales.select('id', F.rank().over(Window.orderBy('weight')).alias('place'))"),
        "dataframe",
    ),
    Rewrite("floats within the tolerance", "tenth", "select id, weight / 10.0D as w from sales"),
    Rewrite(
        "two comparisons", "year", "select id from sales where sold >= date'2021-01-01' and sold <= date'2021-12-31'"
    ),
    Rewrite(
        "a frame of the columns",
        "loose",
        "def run(spark):\n    return spark.table('loose').select('a', 'b')\n",
        "dataframe",
    ),
    Rewrite("IN for equality", "named", "select id from sales where product in ('p1')"),
    Rewrite("year()", "year", "select id from sales where year(sold) = 2021"),
    Rewrite("count(1)", "all", "select count(1) as n from sales"),
    Rewrite("the sum of sums", "total", "select sum(s) as s from (select sum(units) as s from sales group by shop)"),
    Rewrite(
        "sorted in a frame",
        "sorted",
        _frame("return sales.select('id', 'weight').orderBy(F.desc('weight'), 'id')"),
        "dataframe",
    ),
    Rewrite("the join turned round", "names", "select s.id, h.name from shops h right join sales s on h.id = s.shop"),
    Rewrite(
        "grouped in a frame",
        "products",
        _frame("return sales.groupBy('product').agg(F.count('*').alias('n'), F.sum('amount').alias('t'))"),
        "dataframe",
    ),
    Rewrite("distinct, then counted", "kinds", "select count(product) as n from (select distinct product from sales)"),
    Rewrite(
        "summed in another order", "sum", "select sum(s) as s from (select sum(weight) as s from sales group by shop)"
    ),
    Rewrite("added in the JVM", "plus:weight", "select weight + 1.0D from sales"),
    Rewrite(
        "added in Arrow",
        "plus:weight",
        "import pyarrow as pa\nimport pyarrow.compute as pc\n\n\n"
        "def run(x: pa.Array) -> pa.Array:\n    return pc.add(x, 1.0)\n",
        "arrow_udf",
    ),
    Rewrite("pmod", "modulo:units", "select pmod(units, 7) from sales"),
    Rewrite("the same in Arrow rows", "lower:word", ORIGINALS["lower:word"][1], "arrow_python_udf"),
    Rewrite(
        "an anti join that knows NULL",
        "outside",
        "select id from sales s left anti join closed c on s.shop = c.shop or s.shop is null or c.shop is null",
    ),
    Rewrite("counted by cases", "count", "select coalesce(sum(if(units is null, 0, 1)), 0) as n from sales"),
    Rewrite("mean by sum and count", "mean", "select sum(units) / count(units) as a from sales"),
    Rewrite("a semi join by the key", "partners", "select id from sales s left semi join shops h on h.id = s.shop"),
    Rewrite(
        "rounded in the JVM",
        "round:weight",
        "select if(isnan(weight) or abs(weight) = double('Infinity'), null, rint(weight)) from sales",
    ),
    Rewrite(
        "summed by pandas",
        "loop:units",
        "def run(frame):\n    return int(frame['units'].dropna().astype('int64').sum())\n",
        "function",
    ),
)

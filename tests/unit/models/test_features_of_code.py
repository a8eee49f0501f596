"""Features of Python code and of queries, construct by construct."""

from __future__ import annotations

import pytest

from analyzer.models.frame_relations import frame_relations
from analyzer.models.python_features import python_features
from analyzer.models.relations import Bound
from analyzer.models.sql_relations import sql_relations


@pytest.mark.parametrize(
    ("feature", "code", "value"),
    [
        ("py_loops", "for a in b:\n    while c:\n        pass", 2),
        ("py_loop_depth", "for a in b:\n    for c in d:\n        e = [f for g in h for f in g]\nfor i in j: pass", 4),
        ("py_comprehensions", "a = [b for b in c]\nd = {e: 1 for e in f}\ng = sum(h for h in i)", 3),
        ("py_functions", "def run(x):\n    def inner(): pass\n    return x", 2),
        ("py_lambdas", "f = lambda x: x", 1),
        ("py_branches", "if a:\n    b = 1 if c else 2", 2),
        ("py_calls", "a(b(c), d.e())", 3),
        ("py_arithmetic", "a = b + c * d\na += 1", 3),
        ("py_comparisons", "a = b < c <= d", 1),
        ("py_subscripts", "a[0][1]", 2),
        ("py_tries", "try:\n    a\nexcept ValueError:\n    b", 1),
        ("py_formatted_strings", "a = f'{b}'", 1),
        ("py_string_calls", "a.lower().strip().translate(b)", 3),
        ("py_string_calls", "map(comment.count, letters)", 1),
        ("py_regex_calls", "import re\nP = re.compile('a')\ndef run(x): return P.sub('b', x)", 2),
        ("py_regex_calls", "s.str.replace('a', 'b', regex=True)", 1),
        ("py_regex_calls", "s.str.count('[aeiou]')", 1),
        ("py_regex_calls", "'a'.count('b')", 0),
        ("py_row_iteration_calls", "for _, r in frame.iterrows(): pass", 1),
        ("py_sort_calls", "sorted(a); b.sort_values('c')", 2),
        ("py_reduction_calls", "sum(a); b.max()", 2),
        ("py_imports_numpy", "import numpy as np", 1),
        ("py_imports_pandas", "import pandas as pd", 1),
        ("py_imports_pyarrow", "import pyarrow.compute as pc", 1),
        ("py_imports_re", "from re import sub", 1),
        ("py_imports_numpy", "import numbers", 0),
        ("py_imports_other", "import decimal\nfrom datetime import date", 2),
        ("py_lines", "# comment\n\na = 1\nb = 2\n", 2),
    ],
)
def test_python_construct_is_counted(feature: str, code: str, value: float) -> None:
    assert python_features(code)[feature] == value


def test_deeper_code_has_a_deeper_tree() -> None:
    flat, deep = python_features("a = 1")["py_depth"], python_features("a = ((b + 1) * 2) ** 3")["py_depth"]
    assert isinstance(flat, float)
    assert isinstance(deep, float)
    assert deep > flat


def test_code_that_cannot_be_parsed_has_unknown_features_not_zeros() -> None:
    assert set(python_features("def run(x:\n").values()) == {None}


@pytest.mark.parametrize(
    ("feature", "query", "value"),
    [
        ("rel_tables", "select * from a join b on a.x = b.x", 2),
        ("rel_tables", "with c as (select x from a) select x from c", 1),
        ("rel_joins", "select * from a join b on a.x = b.x left join c on c.y = b.y", 2),
        ("rel_joins", "select x from a where exists (select 1 from b where b.y = a.x)", 1),
        ("rel_joins", "select x from a where x not in (select y from b)", 1),
        ("rel_joins", "select x from a where x in (1, 2)", 0),
        ("rel_aggregates", "select sum(x), count(*), max(y) from a", 3),
        ("rel_group_by", "select x, y, count(*) from a group by x, y", 1),
        ("rel_group_keys", "select x, y, count(*) from a group by x, y", 2),
        ("rel_windows", "select row_number() over (partition by x order by y) from a", 1),
        ("rel_order_by", "select x from a order by x", 1),
        ("rel_distinct", "select distinct x from a", 1),
        ("rel_distinct", "select count(distinct x) from a", 1),
        ("rel_subqueries", "select x from (select x from (select x from a))", 2),
        ("rel_unions", "select x from a union all select x from b", 1),
        ("rel_limits", "select x from a order by x limit 3", 1),
        ("rel_conditions", "select x from a where x > 1 and y like 'b%' and z between 1 and 2", 3),
        ("rel_functions", "select lower(trim(x)) from a", 2),
        ("rel_string_functions", "select lower(trim(x)), abs(y) from a", 2),
        ("rel_regex", "select regexp_replace(x, 'a+', 'b') from a", 1),
        ("rel_cases", "select case x when 1 then 2 else 3 end from a", 1),
        ("rel_casts", "select cast(x as double) from a", 1),
    ],
)
def test_sql_construct_is_counted(feature: str, query: str, value: float) -> None:
    relations = sql_relations(query)
    assert relations is not None
    assert relations.counts[feature] == value


@pytest.mark.parametrize(
    ("query", "bounds"),
    [
        ("select x from a where k <= :m", [Bound("k", "<=", "m", None)]),
        ("select x from a where :m > k", [Bound("k", "<", "m", None)]),
        ("select x from a where k between 1 and :m", [Bound("k", ">=", None, 1), Bound("k", "<=", "m", None)]),
        ("select x from a where (k = 3) and y like 'z'", [Bound("k", "=", None, 3)]),
        ("select x from a where k < 1 or y = 2", []),
        ("select x from a where not k < 1", []),
        ("select x from a left join b on b.y = a.y and b.k <= :m", [Bound("k", "<=", "m", None)]),
    ],
)
def test_only_conditions_that_every_row_passes_bound_the_rows(query: str, bounds: list[Bound]) -> None:
    relations = sql_relations(query)
    assert relations is not None
    assert sorted(relations.bounds, key=str) == sorted(bounds, key=str)


def test_parameter_that_says_nothing_about_the_rows_is_told() -> None:
    relations = sql_relations("select x from a where k + 1 <= :m")
    assert relations is not None
    assert relations.unread_parameters == {"m"}


FRAME = """
from pyspark.sql import functions as f

def run(spark, max_key):
    orders = spark.table("orders").where((f.col("o_orderkey") <= max_key) & (f.col("o_orderstatus") == "O"))
    joined = orders.join(spark.table("Lineitem"), f.col("l_orderkey") == f.col("o_orderkey"))
    return joined.groupBy("o_orderkey", "o_custkey").agg(f.sum("l_tax").alias("tax")).orderBy("o_orderkey").limit(5)
"""


def test_dataframe_code_has_the_features_of_its_query() -> None:
    relations = frame_relations(FRAME, frozenset({"max_key"}))
    assert relations is not None
    assert sorted(relations.tables) == ["lineitem", "orders"]
    assert relations.bounds == (Bound("o_orderkey", "<=", "max_key", None),)
    assert not relations.unread_parameters
    counts = {name: value for name, value in relations.counts.items() if value}
    expected = {"rel_joins": 1, "rel_group_by": 1, "rel_group_keys": 2, "rel_aggregates": 1, "rel_order_by": 1}
    assert expected.items() <= counts.items()
    assert counts["rel_limits"] == 1


def test_dataframe_code_that_uses_a_parameter_otherwise_says_so() -> None:
    code = 'def run(spark, n):\n    return spark.table("a").limit(n)'
    relations = frame_relations(code, frozenset({"n"}))
    assert relations is not None
    assert relations.unread_parameters == {"n"}


def test_what_cannot_be_read_has_no_relations() -> None:
    assert sql_relations("select from where") is None
    assert frame_relations("def run(:", frozenset()) is None

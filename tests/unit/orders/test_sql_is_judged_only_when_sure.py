"""Queries that Spark takes pass, however unusual; only what is surely wrong is a mistake."""

from __future__ import annotations

import pytest

from orchestrator.orders import parse_order
from orchestrator.orders.sql_code import column_count, placeholders, tokens

ORDER = """\
name: queries
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: one
    database: shop
    tables: [lineitem, orders]
    parameters: {low: [1, 2]}
    snippets:
      - name: uses
        kind: sql
        code: select * from lineitem where l_orderkey > :low
      - name: query
        kind: sql
        code: |
"""


@pytest.mark.parametrize(
    "query",
    [
        "select * from lineitem;",
        "SELECT * FROM LineItem l JOIN orders o ON l.l_orderkey = o.o_orderkey",
        "with c as (select 1 as x), d as (select * from c) select * from d, c",
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) select * from r",
        "from lineitem select l_tax",
        "values (1, 2), (3, 4)",
        "table lineitem",
        "(select l_tax from lineitem) union all (select 1)",
        "select * from range(10)",
        "select id from range(0, 10, 2) as r(id) where id > :low",
        "select e from lineitem lateral view explode(split(l_comment, ' ')) t as e",
        "select * from lineitem, lateral (select o_orderkey from orders where o_orderkey = l_orderkey)",
        "select cast(null as struct<a:int,b:array<string>>) from lineitem",
        "select l_tax::double, ':nothing' as text, `:none` from lineitem -- :comment",
        "select transform(array(1, 2), x -> x + 1), map('a', 1)['a'] from lineitem",
        "select /*+ broadcast(orders) */ * from lineitem join orders on l_orderkey = o_orderkey",
        "select * from lineitem where l_tax > (select avg(l_tax) from lineitem) limit 10",
        "select * from (select l_tax, l_returnflag from lineitem) pivot (sum(l_tax) for l_returnflag in ('A', 'N'))",
        "select * except (l_tax) from lineitem",
        "select count(*) filter (where l_tax > 0) over (partition by l_orderkey) from lineitem",
        "select * from json.`/nowhere`",
        "select 'it''s; one' as text, \"two; three\" as other from lineitem",
        "select inline(array(struct(1, 2))) from lineitem",
        "select * from lineitem tablesample (10 percent) repeatable (3)",
        "select a.* from lineitem a left anti join orders b on a.l_orderkey = b.o_orderkey",
        "select date '1998-12-01' - interval 90 days, timestamp '2020-01-01 10:00:00' from lineitem",
    ],
)
def test_unusual_query_is_no_mistake(query: str) -> None:
    assert parse_order(f"{ORDER}          {query}\n").order.experiments[0].snippet("query").code.strip() == query


def test_placeholders_are_found_with_their_place() -> None:
    query = "select :a + b::int,\n  cast(c as struct<d:int>) from t where x=:e"
    found = placeholders(query, tokens(query))
    assert [(item.name, item.line, item.column) for item in found] == [("a", 1, 8), ("e", 2, 43)]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("select a, b + 1 as c from t", 2),
        ("select cast(a as double) from t", 1),
        ("select * from t", None),
        ("select t.*, a from t", None),
        ("select inline(a) from t", None),
        ("select stack(2, 1, 2) from t", None),
        ("from t select a", 1),
        ("not a query", None),
    ],
)
def test_columns_are_counted_only_where_that_is_sure(query: str, count: int | None) -> None:
    assert column_count(query) == count

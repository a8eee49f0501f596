"""Each rewrite of a SQL snippet gives the rows of the original, on tables with NULLs, duplicates and none at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.port import Advice, Brief, TableShape
from analyzer.advisors.rules import RulesAdvisor
from snipbench.domain.order import Kind

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

TABLES = (
    TableShape("sales", (("id", "int"), ("customer", "int"), ("day", "date"))),
    TableShape("customers", (("customer_id", "int"), ("region", "int"))),
)
SALES = (
    "(1, 10, date'1993-12-31'), (2, null, date'1994-01-01'), (3, 30, date'1994-12-31'), (3, 30, null),"
    " (4, 40, date'1995-01-01')"
)
CUSTOMERS = {
    "plain": "(10, 1), (20, 2), (20, 3)",
    "with a null": "(10, 1), (null, 2), (null, null)",
    "empty": "",
}

REWRITTEN = [
    "select id from sales where customer not in (select customer_id from customers)",
    "select id from sales where customer not in (select customer_id from customers where region > :low) and id < 4",
    "select s.id from sales s where s.customer not in (select c.customer_id from customers c where c.region = 1)",
    "select id from sales where customer in (select distinct customer_id from customers order by customer_id)",
    "select id from sales where customer in (select customer_id from customers union select region from customers)",
    "select distinct customer, count(*) as n from sales group by customer",
    "select id from sales where year(day) = 1994",
    "select count(*) as n from sales where not (year(day) = 1994) or customer = 10",
]
LEFT_ALONE = [
    "select id from sales where customer not in (1, 2)",
    "select id from sales where customer not in (select customer_id from customers) or id = 1",
    "select id, customer not in (select customer_id from customers) as missing from sales",
    "select id from sales where customer in (select distinct customer_id from customers order by customer_id limit 1)",
    "select distinct customer from sales",
    "select distinct count(*) as n from sales group by customer",
    "select distinct customer, explode(array(1, 1)) from sales group by customer",
    "select customer from sales union select region from customers",
    "select id from sales where year(customer) = 1994",
    "select id from sales order by id",
]


@pytest.mark.parametrize("query", REWRITTEN)
def test_a_rewrite_keeps_the_rows(advised_spark: SparkSession, query: str) -> None:
    found = advice(query)
    assert found.code is not None
    assert found.kind is Kind.SQL
    for name, rows in CUSTOMERS.items():
        view(advised_spark, "sales", "id, customer, day", "int, int, date", SALES)
        view(advised_spark, "customers", "customer_id, region", "int, int", rows)
        original, rewritten = (rows_of(advised_spark, code) for code in (query, found.code))
        assert original == rewritten, f"customers {name}: {found.code}"


@pytest.mark.parametrize("query", LEFT_ALONE)
def test_what_may_matter_is_left_alone(query: str) -> None:
    assert advice(query).code is None


def test_words_without_code_where_only_a_person_can_decide() -> None:
    found = advice("select count(distinct customer) from sales where name like '%x'")
    assert found.code is None
    assert [text.split()[0] for text in found.suggestions] == ["count(distinct", "like"]


def test_what_sqlglot_cannot_read_gets_no_advice() -> None:
    assert advice("select from where ((").suggestions == ()


def advice(query: str) -> Advice:
    return RulesAdvisor().advise(Brief("t", "e", "s", Kind.SQL, query, tables=TABLES), TokenBudget(0))


def view(spark: SparkSession, name: str, columns: str, types: str, rows: str) -> None:
    names, kinds = columns.split(", "), types.split(", ")
    casts = ", ".join(f"cast({column} as {kind}) as {column}" for column, kind in zip(names, kinds, strict=True))
    nothing = ", ".join("null" for _ in names)
    source = f"values {rows or f'({nothing})'} as given({columns})"
    where = "" if rows else " where 1 = 0"
    spark.sql(f"select {casts} from {source}{where}").createOrReplaceTempView(name)


def rows_of(spark: SparkSession, query: str) -> list[str]:
    arguments = {"low": 0} if ":low" in query else {}
    return sorted(str(tuple(row)) for row in spark.sql(query, args=arguments).collect())

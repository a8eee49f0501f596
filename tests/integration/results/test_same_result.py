"""Planted differences: each is put into an otherwise equal result and must be judged for what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from executor.results import fingerprint, same_result
from snipbench.domain.result import Comparison, Equality

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

EQUAL, CLOSE = Equality.EQUAL, Equality.EQUAL_WITHIN_TOLERANCE
DIFFERENT, INCONCLUSIVE = Equality.DIFFERENT, Equality.INCONCLUSIVE

PLANTED = {
    # what is planted: (baseline, variant, judgement)
    "nothing, but rows come in another order": (
        "values (1, 'a'), (2, 'b'), (2, 'b')",
        "values (2, 'b'), (1, 'a'), (2, 'b')",
        EQUAL,
    ),
    "other column names": ("select 1 as a, 'x' as b", "select 1 as b, 'x' as a", EQUAL),
    "one NULL more": ("values (1), (2), (null)", "values (1), (null), (null)", DIFFERENT),
    "a duplicate dropped": ("values (1), (1), (2)", "values (1), (2)", DIFFERENT),
    "a duplicate added": ("values (1), (2)", "values (1), (2), (2)", DIFFERENT),
    "one duplicate for another": ("values (1), (1), (2)", "values (1), (2), (2)", DIFFERENT),
    "a pair of duplicates, which an exclusive-or would not see": ("values (1)", "values (1), (2), (2)", DIFFERENT),
    "-0.0 for 0.0, declared equal": ("values (0.0D), (1D)", "values (-0.0D), (1D)", EQUAL),
    "float -0.0 for 0.0, nested": ("select array(float(0.0))", "select array(float(-0.0))", EQUAL),
    "NaN for NaN": ("select double('NaN')", "select double('NaN') * -1", EQUAL),
    "NaN for NULL": ("select double('NaN')", "select cast(null as double)", DIFFERENT),
    "NaN for a number": ("select double('NaN')", "select 1D", DIFFERENT),
    "infinity for the greatest double": ("select double('Infinity')", "select 1.7976931348623157E308D", DIFFERENT),
    "decimal of another scale, same value": ("select 1.50BD", "select cast(1.5 as decimal(20, 6))", EQUAL),
    "decimal rounded to another scale": ("select 1.505BD", "select cast(1.505 as decimal(10, 2))", DIFFERENT),
    "decimal for the double of its value": ("select 1.5BD", "select 1.5D", DIFFERENT),
    "integer of another width": ("select tinyint(7)", "select 7L", EQUAL),
    "integer for the decimal of its value": ("select 7", "select 7BD", DIFFERENT),
    "float for the double of its value": ("select float(0.5)", "select 0.5D", EQUAL),
    "float for a double that it rounds": ("select float(0.1)", "select 0.1D", DIFFERENT),
    "a string for the integer it shows": ("select 1", "select '1'", DIFFERENT),
    "a string for its bytes": ("select 'a'", "select binary('a')", DIFFERENT),
    "case": ("select 'Spark'", "select 'spark'", DIFFERENT),
    "a trailing space": ("select 'a'", "select 'a '", DIFFERENT),
    "an empty string for NULL": ("select ''", "select cast(null as string)", DIFFERENT),
    "a collation that ignores case": ("select 'a' collate utf8_lcase", "select 'A' collate utf8_lcase", DIFFERENT),
    "off by one": ("select id from range(100)", "select if(id = 57, 58, id) from range(100)", DIFFERENT),
    "a column swapped": ("select 1, 2", "select 2, 1", DIFFERENT),
    "text moved over a column's border": ("select 'ab', 'c'", "select 'a', 'bc'", DIFFERENT),
    "a column more": ("select 1", "select 1, cast(null as int)", DIFFERENT),
    "one row for none": ("select 1 where false", "select cast(null as int)", DIFFERENT),
    "no rows of another type": ("select 1 where false", "select 'a' where false", DIFFERENT),
    "no rows of the same type": ("select 1 where false", "select 2 where false", EQUAL),
    "one instant, written in two zones": (
        "select timestamp'2024-07-01 12:00:00 Europe/Warsaw'",
        "select timestamp'2024-07-01 10:00:00Z'",
        EQUAL,
    ),
    "a time zone shift": (
        "select timestamp'2024-07-01 12:00:00 Europe/Warsaw'",
        "select timestamp'2024-07-01 12:00:00Z'",
        DIFFERENT,
    ),
    "a wall clock for an instant": (
        "select timestamp'2024-07-01 12:00:00'",
        "select timestamp_ntz'2024-07-01 12:00:00'",
        DIFFERENT,
    ),
    "a microsecond": (
        "select timestamp_ntz'2024-07-01 12:00:00.000001'",
        "select timestamp_ntz'2024-07-01 12:00:00.000002'",
        DIFFERENT,
    ),
    "a map's entries in another order": ("select map('a', 1, 'b', 2)", "select map('b', 2, 'a', 1)", EQUAL),
    "a map's value": ("select map('a', 1, 'b', 2)", "select map('a', 2, 'b', 1)", DIFFERENT),
    "other field names in a struct": ("select named_struct('a', 1, 'A', 2)", "select struct(1, 2)", EQUAL),
    "struct fields swapped": ("select struct(1, 2)", "select struct(2, 1)", DIFFERENT),
    "array elements swapped": ("select array(1, 2)", "select array(2, 1)", DIFFERENT),
    "a NULL deep inside": (
        "select array(named_struct('a', map('k', array(1, null))))",
        "select array(named_struct('a', map('k', array(1, 0))))",
        DIFFERENT,
    ),
    "an empty array for NULL": ("select array_remove(array(1), 1)", "select cast(null as array<int>)", DIFFERENT),
    "a struct of NULL for NULL": (
        "select named_struct('a', cast(null as int))",
        "select cast(null as struct<a: int>)",
        DIFFERENT,
    ),
    "floats within tolerance": (
        "select id, id * 1.1D from range(50)",
        "select id, id * 1.1D * (1 + 1e-12D) from range(50)",
        CLOSE,
    ),
    "floats beyond tolerance": (
        "select id, id * 1.1D from range(50)",
        "select id, id * 1.1D * (1 + 1e-6D) from range(50)",
        DIFFERENT,
    ),
    "floats within tolerance, without an exact column": (
        "select sqrt(id), id * 1.1D from range(50)",
        "select sqrt(id) * (1 + 1e-12D), id * 1.1D * (1 - 1e-12D) from range(50)",
        CLOSE,
    ),
    "nested floats within tolerance": (
        "select map('b', array(2D, null, double('NaN')), 'a', array(1D))",
        "select map('a', array(1D), 'b', array(2.000000000001D, null, double('NaN')))",
        CLOSE,
    ),
    "one float row beyond tolerance": (
        "select sqrt(id), id % 3 * 1.1D from range(50)",
        "select sqrt(id) * (1 + 1e-12D), if(id = 31, 2D, id % 3 * 1.1D) from range(50)",
        DIFFERENT,
    ),
    "floats swapped between rows far apart": (
        "values (1D, 5D), (2D, 6D)",
        "values (2D, 5D), (1D, 6D)",
        DIFFERENT,
    ),
    "two floats of a row, one just beyond tolerance": ("select 1, 1D, 2D", "select 1, 1D, 2.000000004D", DIFFERENT),
    "one duplicate of floats for another": (
        "values (2D, 7D), (2D, 7D), (3D, 7D)",
        "values (2D, 7D), (3D, 7D), (3.000000000001D, 7D)",
        DIFFERENT,
    ),
    "floats swapped between nearly equal rows, which rounding may explain": (
        "values (1D, 5D), (1.000000000001D, 6D)",
        "values (1.000000000001D, 5D), (1D, 6D)",
        INCONCLUSIVE,
    ),
    "an exact column beside floats within tolerance": (
        "values (1, 1D), (2, 2D)",
        "values (1, 1.000000000001D), (3, 2D)",
        DIFFERENT,
    ),
}


def judge(spark: SparkSession, baseline: str, variant: str) -> Comparison:
    return same_result(spark.sql(baseline), spark.sql(variant), float_tolerance=1e-9)


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_judged(spark: SparkSession, planted: str) -> None:
    baseline, variant, expected = PLANTED[planted]

    assert judge(spark, baseline, variant).equality is expected


UNSORTED = "select id % 7 as k, id from range(0, 40, 1, 4)"

ORDERED = {
    "the same final sort": (f"{UNSORTED} order by k", f"{UNSORTED} order by k, id", EQUAL),
    "no final sort": (f"{UNSORTED} order by k", UNSORTED, DIFFERENT),
    "the sort turned around": (f"{UNSORTED} order by k", f"{UNSORTED} order by k desc", DIFFERENT),
    "no sort in the baseline": (UNSORTED, f"{UNSORTED} order by k desc", EQUAL),
    "ties in another order": (f"{UNSORTED} order by k", f"{UNSORTED} order by k, id desc", EQUAL),
    "a sort by an expression with a name": (
        "select id + 1 as c from range(0, 40, 1, 4) order by id + 1 desc",
        "select id + 1 from range(0, 40, 1, 4)",
        DIFFERENT,
    ),
    "a sort beneath a limit": (
        f"{UNSORTED} order by id desc limit 5",
        "values (4, 39), (3, 38), (2, 37), (1, 36), (0, 35)",
        EQUAL,
    ),
    "another row within the limit": (
        f"{UNSORTED} order by id desc limit 5",
        f"{UNSORTED} order by id desc limit 5 offset 1",
        DIFFERENT,
    ),
    "rows that come to the limit in another order": (
        f"{UNSORTED} order by id desc limit 5",
        "values (3, 38), (4, 39), (2, 37), (1, 36), (0, 35)",
        DIFFERENT,
    ),
    "NULLs at the other end": (
        "select * from values (1), (null), (2) as t(a) order by a nulls first",
        "select * from values (1), (null), (2) as t(a) order by a nulls last",
        DIFFERENT,
    ),
    "a common table expression and an alias around the sort": (
        f"with t as ({UNSORTED}) select u.k as kk, u.id from (select * from t order by k desc) u",
        UNSORTED,
        DIFFERENT,
    ),
    "a key that is not in the output": (
        "select id % 7 from range(40) order by id desc",
        "select id % 7 from range(40)",
        EQUAL,
    ),
    "a sort inside partitions only": (f"{UNSORTED} sort by k", UNSORTED, EQUAL),
    "floats within tolerance, sorted alike": (
        "select id * 1.1D as x from range(40) order by x desc",
        "select id * 1.1D * (1 + 1e-12D) as x from range(40) order by x desc",
        CLOSE,
    ),
    "floats within tolerance, not sorted": (
        "select id * 1.1D as x from range(40) order by x desc",
        "select id * 1.1D * (1 + 1e-12D) as x from range(40)",
        DIFFERENT,
    ),
}


@pytest.mark.parametrize("planted", ORDERED)
def test_the_baselines_final_sort_belongs_to_its_result(spark: SparkSession, planted: str) -> None:
    baseline, variant, expected = ORDERED[planted]

    assert judge(spark, baseline, variant).equality is expected


def test_a_key_outside_the_output_is_named_as_not_verified(spark: SparkSession) -> None:
    keys = fingerprint(spark.sql("select id % 7 as k from range(40) order by k desc, id")).sort_keys

    assert keys[0] == "1 DESC NULLS LAST"
    assert "id ASC NULLS FIRST (not verified" in keys[1]


def test_the_first_differing_rows_are_shown(spark: SparkSession) -> None:
    found = judge(spark, "values (1, 'a '), (2, null)", "values (1, 'a'), (2, null)")

    assert found.differing_rows == ("only in the baseline: (1, 'a ')", "only in the variant: (1, 'a')")


def test_at_most_five_differing_rows_are_shown(spark: SparkSession) -> None:
    found = judge(spark, "select id from range(40)", "select id + 100 from range(40)")

    assert len(found.differing_rows) == 5


def test_rows_out_of_order_are_shown(spark: SparkSession) -> None:
    found = judge(
        spark, "select * from values (1), (2), (3) as t(a) order by a", "select * from values (1), (3), (2) as t(a)"
    )

    assert found.differing_rows == ("(2) comes after (3)",)


def test_a_mismatch_of_types_names_the_column(spark: SparkSession) -> None:
    found = judge(spark, "select 1, 2.5BD", "select 1, 2.5D")

    assert found.reason == "column 2 is decimal in the baseline and float in the variant"


def test_nothing_stays_persisted(spark: SparkSession) -> None:
    judge(spark, "select id * 1.1D from range(40)", "select id * 1.2D from range(40)")

    assert spark.sparkContext._jsc.getPersistentRDDs().isEmpty()


@pytest.mark.parametrize("planted", ["a NULL deep inside", "floats within tolerance, without an exact column"])
def test_a_difference_is_judged_alike_with_generated_code_and_adaptive_plans(spark: SparkSession, planted: str) -> None:
    baseline, variant, expected = PLANTED[planted]
    before = {key: spark.conf.get(key) for key in ("spark.sql.codegen.wholeStage", "spark.sql.adaptive.enabled")}
    try:
        for key in before:
            spark.conf.set(key, "true")
        assert judge(spark, baseline, variant).equality is expected
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)

"""Result hashes and comparisons through the engine."""

from __future__ import annotations

from typing import Any

import pytest

from snipbench.domain.result import Equality
from snipbench.errors import ChildError

pytestmark = [pytest.mark.spark, pytest.mark.postgres]

SUM = "select o_orderstatus, sum(cast(o_totalprice as double)) as total from orders group by o_orderstatus"


def test_a_function_that_returns_a_frame_hashes_like_the_query(runner: Any) -> None:
    query = "select o_orderkey, o_comment, o_orderdate from orders where o_orderkey < 500"
    function = runner.call("function", "def run(frame):\n    return frame.sort_values('o_comment')", input=query)
    assert runner.hash(function) == runner.hash(runner.call("sql", query))


def test_a_function_may_return_any_plain_value(runner: Any) -> None:
    first = runner.call("function", "def run(n):\n    return {'a': [n, 2.5], 'b': None}", {"n": 1})
    same = runner.call("function", "def run(n):\n    return {'b': None, 'a': [n, 2.5]}", {"n": 1})
    other = runner.call("function", "def run(n):\n    return {'a': [n, 2.5], 'b': None}", {"n": 2})
    assert runner.hash(first) == runner.hash(same) != runner.hash(other)


def test_a_sort_belongs_to_the_result_where_the_baseline_ends_in_one(runner: Any) -> None:
    baseline = runner.call("sql", "select o_orderkey from orders order by o_orderkey")
    facts = runner.engine.fingerprint(baseline, 60.0)
    turned = runner.call("sql", "select o_orderkey from orders order by o_orderkey desc")
    same = runner.call(
        "dataframe", "def run(spark):\n    return spark.table('orders').select('o_orderkey').orderBy('o_orderkey')"
    )
    hashes = [runner.engine.fingerprint(call, 60.0, sort_keys=facts.sort_keys).result_hash for call in (turned, same)]
    assert hashes[0] != facts.result_hash
    assert hashes[1] == facts.result_hash


@pytest.mark.parametrize(
    ("change", "tolerance", "equality"),
    [
        ("", 0.0, Equality.EQUAL),
        (" * (1 + 1e-13)", 1e-9, Equality.EQUAL_WITHIN_TOLERANCE),
        (" * (1 + 1e-5)", 1e-9, Equality.DIFFERENT),
    ],
)
def test_a_variant_is_compared_with_its_baseline(
    runner: Any, change: str, tolerance: float, equality: Equality
) -> None:
    variant = f"select o_orderstatus, total{change} from ({SUM})"
    found = runner.engine.compare(runner.call("sql", SUM), runner.call("sql", variant), tolerance, 60.0)
    assert found.equality is equality, found
    assert bool(found.differing_rows) == (equality is Equality.DIFFERENT)


def test_functions_are_compared_too(runner: Any) -> None:
    baseline = runner.call("function", "def run():\n    return [1.0, 2.0]")
    variant = runner.call("function", "def run():\n    return [1.0, 2.0 + 1e-12]")
    assert runner.engine.compare(baseline, variant, 1e-9, 60.0).equality is Equality.EQUAL_WITHIN_TOLERANCE


def test_a_frame_and_a_value_of_python_are_compared_by_their_hashes_alone(runner: Any) -> None:
    function = runner.call("function", "def run():\n    return 1")
    assert runner.engine.compare(runner.call("sql", SUM), function, 0.0, 60.0).equality is Equality.INCONCLUSIVE


def test_a_result_without_a_defined_hash_says_so(runner: Any) -> None:
    with pytest.raises(ChildError) as caught:
        runner.hash(runner.call("function", "def run():\n    return object()"))
    assert caught.value.kind == "UnhashableResult"


def test_a_rule_broken_in_the_untimed_pass_is_told(runner: Any) -> None:
    code = "def run(spark):\n    spark.conf.set('spark.sql.shuffle.partitions', '9')\n    return spark.range(3)"
    with pytest.raises(ChildError) as caught:
        runner.hash(runner.call("dataframe", code))
    assert caught.value.kind == "ChangedSettings"

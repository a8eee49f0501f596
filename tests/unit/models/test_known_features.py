"""All features of a snippet: sizes from PostgreSQL's facts, and nothing that a run has measured."""

from __future__ import annotations

import pytest

from analyzer.models.features import LeakError, check_known_before, known_features
from analyzer.models.pipelines import frame_of
from analyzer.models.similarity import similarity, source_words
from analyzer.models.sizes import UNKNOWN, estimate
from analyzer.models.sql_relations import sql_relations
from snipbench.domain.order import Experiment, Kind, Snippet, Table
from snipbench.domain.plan import Parameters
from snipbench.domain.table_facts import ColumnFacts, TableFacts

KEY = ColumnFacts("k", "bigint", 8, 0.0, -1.0, (0.0, 100.0, 200.0, 1000.0))
FLAG = ColumnFacts("flag", "text", 2, 0.0, 4.0)
FACTS = (
    TableFacts("public", "big", 3000, 9, 9, (KEY, FLAG, ColumnFacts("wide", "text", 90, 0.5, None))),
    TableFacts("public", "small", 10, 9, 9, (ColumnFacts("s", "bigint", 8, None, None),)),
    TableFacts("public", "unknown", None, 9, 9, ()),
)
INPUT = "select wide from big where k <= :m"


def rows(query: str, **parameters: float) -> float | None:
    relations = sql_relations(query)
    assert relations is not None
    return estimate(relations, tuple(parameters.items()), FACTS).input_rows


@pytest.mark.parametrize(
    ("query", "m", "expected"),
    [
        (INPUT, 100, 1000),
        (INPUT, 50, 500),
        (INPUT, 600, 2500),
        (INPUT, -1, 0),
        (INPUT, 5000, 3000),
        ("select k from big where k > 100 and k <= :m", 200, 1000),
        ("select k from big where k = :m", 7, 1),
        ("select k from big where k <= :m and wide like 'a%'", 100, 1000),
        ("select big.k from big join small on s = k where k <= :m", 100, 1010),
        ("select k from big b where k <= :m and k > (select min(k) from big c where c.k <= :m)", 100, 2000),
    ],
)
def test_rows_that_come_in_follow_the_planners_histogram(query: str, m: float, expected: float) -> None:
    assert rows(query, m=m) == pytest.approx(expected)


@pytest.mark.parametrize(
    "query",
    [
        "select k from big where k + 0 <= :m",
        "select k from big where flag <= :m",
        "select k from elsewhere where k <= :m",
        "select k from unknown where k <= :m",
        "select n from (select k as n from big) where n <= :m",
    ],
)
def test_rows_are_unknown_where_the_parameter_cannot_be_judged(query: str) -> None:
    assert rows(query, m=100) is None


def test_without_tables_or_facts_every_size_is_unknown() -> None:
    relations = sql_relations(INPUT)
    assert relations is not None
    assert estimate(relations, (("m", 1),), None) == UNKNOWN


def snippet(kind: Kind, code: str, query: str | None = None) -> Snippet:
    return Snippet(name="a", kind=kind, code=code, input=query, template="a")


def features(one: Snippet, parameters: Parameters = (("m", 100),), facts: tuple[TableFacts, ...] | None = FACTS):  # type: ignore[no-untyped-def]
    tables = (Table(name="big", partitions=4), Table(name="small"))
    experiment = Experiment(name="e", database="shop", tables=tables, snippets=(one,), source="cached")
    return known_features(experiment, one, parameters, facts)


def test_row_udf_knows_its_rows_its_code_and_its_input() -> None:
    found = features(snippet(Kind.PYTHON_UDF, "def run(x):\n    return x.lower()", INPUT))
    assert (found["kind"], found["source"]) == ("python_udf", "cached")
    assert found["data_input_rows_log"] == pytest.approx(3.0, abs=1e-3)
    assert found["work_python_rows_log"] == found["data_input_rows_log"]
    assert found["work_batch_rows_log"] == 0.0
    assert found["data_row_width_bytes"] == 98
    assert found["data_partitions"] == 4
    assert found["py_string_calls"] == 1
    assert found["rel_tables"] == 1
    assert found["param_log_max"] == pytest.approx(2.0043, abs=1e-3)


def test_sql_has_no_python_and_a_function_without_input_no_tables() -> None:
    query = features(snippet(Kind.SQL, INPUT))
    function = features(snippet(Kind.FUNCTION, "def run(m):\n    for i in range(m): pass"))
    assert query["py_lines"] == 0
    assert query["work_python_rows_log"] == 0
    assert function["rel_tables"] == 0
    assert function["data_input_rows_log"] is None
    assert function["data_size_log"] == function["work_loop_log"] == pytest.approx(2.0043, abs=1e-3)


def test_unknown_sizes_are_none_and_reach_the_table_as_missing() -> None:
    found = features(snippet(Kind.SQL, INPUT), facts=None)
    assert found["data_table_rows_log"] is None
    assert frame_of([found])["data_table_rows_log"].isna().all()


@pytest.mark.parametrize("measured", ["wall_seconds", "cpu_seconds_executor", "memory_peak_bytes", "result_rows"])
def test_measured_value_among_the_features_is_refused(measured: str) -> None:
    found = features(snippet(Kind.SQL, INPUT))
    with pytest.raises(LeakError, match=measured):
        frame_of([found | {measured: 1.0}])
    with pytest.raises(LeakError):
        check_known_before([measured])


def test_similarity_counts_shared_words() -> None:
    one, same = snippet(Kind.SQL, "select a from b"), snippet(Kind.SQL, "SELECT a  FROM b")
    other = snippet(Kind.PYTHON_UDF, "def run(x): return 1")
    assert similarity(source_words(one), source_words(same)) == 1.0
    assert similarity(source_words(one), source_words(other)) == 0.0

"""What `snipbench check` warns of, each at the line where it stands."""

from __future__ import annotations

import pytest

from orchestrator.orders import parse_order
from orchestrator.orders.volatile_python import volatile_calls
from orchestrator.orders.volatile_sql import volatile_parts
from orchestrator.orders.warnings import find_warnings
from tests.orders import HEAD


def test_warning_stands_at_its_line_of_the_order() -> None:
    loaded = parse_order(
        HEAD
        + """\
      - name: top
        kind: sql
        code: |
          select l_tax
          from lineitem
          limit 5
""",
        file_name="warned.yaml",
    )
    (warning,) = find_warnings(loaded)
    assert str(warning).startswith("warned.yaml:14:11: experiments.one.top.code: warning: LIMIT without ORDER BY")


def test_warning_stands_at_its_line_of_the_snippets_file() -> None:
    code = "import time\n\ndef run(spark):\n    print(time.time())\n    return spark.table('lineitem')\n"
    loaded = parse_order(HEAD + "      - {name: f, kind: dataframe, file: a/f.py}\n", files={"a/f.py": code})
    (warning,) = find_warnings(loaded)
    assert (warning.file, warning.line, warning.column) == ("a/f.py", 4, 11)


def test_input_is_looked_at_once_and_not_again_for_its_variants() -> None:
    loaded = parse_order(
        HEAD
        + """\
      - {name: a, kind: python_udf, input: select rand() from lineitem, returns: double, code: "def run(x): return x"}
      - {name: b, kind: pandas_udf, variant_of: a, code: "def run(x): return x"}
"""
    )
    assert [(warning.line, warning.path) for warning in find_warnings(loaded)] == [(9, "experiments.one.a.input")]


def test_unused_database_is_warned_of() -> None:
    text = HEAD.replace("experiments:", "  spare: {dataset: {generator: pgbench, scale: 1}}\nexperiments:")
    loaded = parse_order(text + "      - {name: a, kind: sql, code: select 1}\n")
    assert [warning.path for warning in find_warnings(loaded)] == ["databases.spare"]


@pytest.mark.parametrize(
    ("query", "fragments"),
    [
        ("select * from t limit 5", ["LIMIT without ORDER BY"]),
        ("select * from t order by a limit 5", []),
        ("select * from (select * from t limit 5) order by a", ["LIMIT without ORDER BY"]),
        ("select * from (select * from t order by a) limit 5", ["LIMIT without ORDER BY"]),
        ("select a from t order by a limit 5 union all select b from u limit 2", ["LIMIT without ORDER BY"]),
        (
            "select now(), current_timestamp, current_date()",
            ["now() is a clock", "current_timestamp", "current_date()"],
        ),
        ("select rand(), uuid(), shuffle(a) from t", ["rand()", "uuid()", "shuffle()"]),
        ("select t.now, `uuid`, 'rand()' as text from t -- limit 5", []),
        ("select * from t tablesample (10 percent)", ["TABLESAMPLE"]),
    ],
)
def test_volatile_parts_of_queries(query: str, fragments: list[str]) -> None:
    messages = [problem.message for problem in volatile_parts(query)]
    assert len(messages) == len(fragments)
    assert all(fragment in message for fragment, message in zip(fragments, messages, strict=True))


@pytest.mark.parametrize(
    ("code", "fragments"),
    [
        ("from datetime import datetime\nx = datetime.now()", ["datetime.datetime.now() is a clock"]),
        ("import datetime as d\nx = d.datetime.utcnow()", ["datetime.datetime.utcnow()"]),
        ("from time import perf_counter as p\nx = p()", ["time.perf_counter()"]),
        ("import random\nx = random.random()\nrandom.seed(3)", ["random.random() is a random value"]),
        ("import numpy as np\nx = np.random.rand(3)", ["numpy.random.rand()"]),
        ("import numpy as np\nx = np.random.default_rng(7)", []),
        ("import numpy as np\nx = np.random.default_rng()", ["numpy.random.default_rng()"]),
        ("from pyspark.sql import functions as F\nx = F.rand()", ["pyspark.sql.functions.rand()"]),
        ("import uuid\nx = uuid.uuid4()", ["uuid.uuid4()"]),
        ("def run(spark): return spark.table('t').limit(5)", ["limit() without orderBy()"]),
        ("def run(spark): return spark.table('t').orderBy('a').limit(5)", []),
        ("def run(spark): return spark.sql('select now()')", ["now() is a clock"]),
        ("def now(): return 3\nx = now()", []),
    ],
)
def test_volatile_calls_of_python(code: str, fragments: list[str]) -> None:
    messages = [problem.message for problem in volatile_calls(code)]
    assert len(messages) == len(fragments)
    assert all(fragment in message for fragment, message in zip(fragments, messages, strict=True))

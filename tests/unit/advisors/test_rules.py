"""What the rules propose, and what they leave alone."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.native import Refused, native_query
from analyzer.advisors.port import Advice, Brief, Potential, TableShape, as_variant
from analyzer.advisors.rules import RulesAdvisor
from snipbench.domain.order import Kind, Snippet

TABLES = (TableShape("lineitem", (("l_shipdate", "date"), ("l_quantity", "decimal(15,2)"), ("l_tax", "double"))),)


def advice(kind: Kind, code: str, **more: Any) -> Advice:
    return RulesAdvisor().advise(Brief("t", "e", "s", kind, code, **more), TokenBudget(0))


def row_udf(body: str, *, types: tuple[str, ...] = ("double",), returns: str = "double") -> Advice:
    names = ("x", "y", "z")[: len(types)]
    return advice(
        Kind.PYTHON_UDF,
        f"import math\nimport re\n\ndef run({', '.join(names)}):\n    {body}\n",
        input="select 1",
        input_columns=tuple(zip(names, types, strict=True)),
        returns=returns,
    )


# --- row UDFs -------------------------------------------------------------------------------------------------------


ORIGINAL = Snippet(
    name="row",
    kind=Kind.PYTHON_UDF,
    code="def run(x): return x",
    input="select 1",
    returns="double",
    template="row",
)


def test_arithmetic_of_a_row_udf_becomes_sql_over_the_same_input() -> None:
    found = row_udf("return x + 1.0")
    assert found.kind is Kind.SQL
    assert "from (\nselect 1\n) as source(argument_1)" in (found.code or "")
    assert (found.potential, found.estimated_reduction) == (Potential.HIGH, 0.95)
    assert found.usage.tokens == 0


def test_the_variant_of_a_udf_in_sql_has_no_input_of_its_own() -> None:
    found = row_udf("return x + 1.0")
    variant = as_variant(found, ORIGINAL, name="row.rules")
    assert variant is not None
    assert (variant.kind, variant.input, variant.returns) == (Kind.SQL, None, None)
    assert (variant.variant_of, variant.template) == ("row", "row")


def test_the_variant_of_another_udf_kind_keeps_the_input() -> None:
    found = row_udf("return {x: 1.0}[x]")
    variant = as_variant(found, ORIGINAL, name="row.rules")
    assert variant is not None
    assert (variant.kind, variant.input, variant.returns) == (Kind.ARROW_PYTHON_UDF, "select 1", "double")
    assert variant.code == found.code


def test_what_cannot_be_translated_is_at_least_exchanged_by_arrow_and_the_reason_is_told() -> None:
    found = row_udf("return {x: 1.0}[x]")
    assert found.kind is Kind.ARROW_PYTHON_UDF
    assert any("no mechanical translation" in text for text in found.suggestions)


def test_a_function_of_math_becomes_an_arrow_udf_that_gives_the_same() -> None:
    found = row_udf("return math.exp(x) * 2 - y", types=("double", "double"))
    assert found.kind is Kind.ARROW_UDF
    namespace: dict[str, Any] = {}
    exec(found.code or "", namespace)
    given = namespace["run"](pa.array([1.0, None, math.nan, -0.5]), pa.array([0.5, 1.0, 1.0, 2.0])).to_pylist()
    assert given[0] == math.exp(1.0) * 2 - 0.5
    assert given[1] is None
    assert math.isnan(given[2])
    assert given[3] == pytest.approx(math.exp(-0.5) * 2 - 2.0, rel=1e-15)


def test_types_come_from_the_casts_of_the_input_where_nobody_measured_them() -> None:
    code = "def run(q, t):\n    return q * t\n"
    query = "select cast(l_quantity as double) as q, l_tax from lineitem"
    found = advice(Kind.PYTHON_UDF, code, input=query, returns="double", tables=TABLES)
    assert found.kind is Kind.SQL


@pytest.mark.parametrize(
    ("types", "returns", "body"),
    [
        (("decimal(15,2)",), "double", "return x + 1"),
        (("double",), "double", "return 1"),
        (("double",), "bigint", "return x"),
        (("double",), "double", "return x % 2.0"),
        (("double",), "double", "return x // 2.0"),
        (("double",), "double", "return x ** 2"),
        (("double",), "double", "return round(x, 2)"),
        (("double",), "string", "return str(x)"),
        (("double",), "double", "return 0 if x is None else x"),
        (("bigint",), "bigint", "return x % -3"),
        (("bigint", "bigint"), "bigint", "return x % y"),
        (("bigint",), "double", "return x / 2"),
        (("bigint",), "boolean", "return x < 0.5"),
        (("string",), "boolean", "return x == 1"),
        (("string",), "string", "return x.title()"),
        (("string",), "string", "return x.replace('', '-')"),
        (("string",), "string", "return x[:-1]"),
        (("string",), "string", "return x[0]"),
        (("string",), "string", "return re.sub(r'\\w', '', x)"),
        (("string",), "string", "return re.sub(r'.', '', x)"),
        (("string",), "string", "return re.sub(r'(a)', r'\\1', x)"),
        (("string",), "string", "return re.sub(r'a*', '', x)"),
        (("string",), "string", "return re.sub(r'(?i)a', '', x)"),
        (("string",), "string", "return re.sub(r'\\bx', '', x)"),
        (("string",), "string", "return 'nul\\0'"),
        (("string",), "string", "return re.search('a', x)"),
        (("string",), "string", "return eval(x)"),
        (("string",), "string", "return UNKNOWN"),
        (("string",), "string", "for c in x: return c"),
        (("string",), "string", "print(x); return x"),
        (("string",), "string", "return (lambda: x)()"),
        (("boolean",), "boolean", "return x < True"),
        (("boolean",), "bigint", "return x + 1"),
        (("string",), "boolean", "return x is 'a'"),
    ],
)
def test_what_would_differ_or_is_unknown_is_not_translated(types: tuple[str, ...], returns: str, body: str) -> None:
    found = row_udf(body, types=types, returns=returns)
    assert found.kind is not Kind.SQL


@pytest.mark.parametrize(
    "code",
    [
        "def len(x):\n    return 5\n\ndef run(x):\n    return len(x)\n",
        "from os.path import *\n\ndef run(x):\n    return len(x)\n",
        "N = 1\nN = 2\n\ndef run(x):\n    return len(x) + N\n",
        "N = {'a': 1}\nN['a'] = 2\n\ndef run(x):\n    return N.get(x, 0)\n",
        "N = {'a': 1}\nN.update(a=2)\n\ndef run(x):\n    return N.get(x, 0)\n",
        "import re\nimport math as re\n\ndef run(x):\n    return len(re.sub('a', '', x))\n",
        "def run(x, y=1):\n    return len(x)\n",
        "def run(*x):\n    return len(x)\n",
        "@staticmethod\ndef run(x):\n    return len(x)\n",
        "def run(x):\n    return len(x)\n\ndef run(x):\n    return 0\n",
        "async def run(x):\n    return len(x)\n",
        "def run(x:\n",
    ],
)
def test_a_module_that_may_mean_something_else_is_not_translated(code: str) -> None:
    with pytest.raises(Refused):
        native_query(code, "run", "select 1", ("string",), "bigint")


def test_endless_growth_is_refused() -> None:
    body = "\n    ".join(["y = x + x"] + ["y = y + y"] * 40 + ["return y"])
    with pytest.raises(Refused, match="long"):
        native_query(f"def run(x):\n    {body}\n", "run", "select 1", ("double",), "double")


def test_very_many_paths_are_refused() -> None:
    body = "y = x\n" + "".join(f"    if x > {n}:\n        y = y + 1\n" for n in range(30)) + "    return y"
    with pytest.raises(Refused, match=r"paths|long"):
        native_query(f"def run(x):\n    {body}\n", "run", "select 1", ("int",), "bigint")


# --- pandas ---------------------------------------------------------------------------------------------------------

LOOPS = """
def run(frame):
    total = 0
    for _, row in frame.iterrows():
        total += row["a"] * row["b"] - 1
    found = []
    for number, row in frame.iterrows():
        found.append(-row["a"] / 3)
    frame["c"] = frame.apply(lambda row: row["a"] + row["b"] * 2, axis=1)
    return total, found, frame["c"].tolist()
"""


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1.5, -2.0, 0.1], "b": [0.1, 0.2, 0.3]}),
        pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, -6]}),
        pd.DataFrame({"a": [1.0, math.nan], "b": [math.inf, 1.0]}),
    ],
)
def test_loops_over_rows_become_whole_columns_with_the_same_result(frame: pd.DataFrame) -> None:
    found = advice(Kind.FUNCTION, LOOPS)
    assert found.kind is Kind.FUNCTION
    assert "iterrows" not in (found.code or "")
    assert "apply" not in (found.code or "")
    results = []
    for code in (LOOPS, found.code or ""):
        namespace: dict[str, Any] = {}
        exec(code, namespace)
        results.append(repr(namespace["run"](frame.copy())).replace("np.float64(", "").replace(")", ""))
    assert results[0].replace("np.int64(", "") == results[1].replace("np.int64(", "")


@pytest.mark.parametrize(
    "statement",
    [
        "total += len(row['name'])",
        "total += row['a'] if row['a'] > 0 else 0",
        "total -= row['a']",
        "print(row)",
        "total += other",
    ],
)
def test_other_loops_get_words_only(statement: str) -> None:
    code = (
        f"def run(frame):\n    total = 0\n    for _, row in frame.iterrows():\n        {statement}\n    return total\n"
    )
    found = advice(Kind.FUNCTION, code)
    assert found.code is None
    assert "row by row" in found.suggestions[0]


# --- linters --------------------------------------------------------------------------------------------------------


def test_ruff_speaks_about_costly_python() -> None:
    code = "def run():\n    found = []\n    for n in range(3):\n        found.append(n * 2)\n    return found\n"
    found = advice(Kind.FUNCTION, code)
    assert any("PERF401" in text for text in found.suggestions)
    assert found.code is None


def test_a_linter_that_is_not_there_is_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    found = advice(Kind.DATAFRAME, "def run(spark):\n    return spark.table('t')\n")
    assert [note.split()[0] for note in found.notes] == ["pyspark-antipattern", "ruff"]
    assert (found.potential, found.suggestions) == (Potential.LOW, ())


def test_what_pyspark_antipattern_says_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "pyspark-antipattern"
    program.write_text(
        "#!/bin/sh\n"
        "printf '\\033[1merror\\033[0m[D001][HIGH]: Avoid using collect()\\n  --> snippet.py:3:5\\n  |\\n'\n"
        "exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    found = advice(Kind.DATAFRAME, "def run(spark):\n    return spark.table('t')\n")
    assert found.suggestions == ("Avoid using collect() (line 3, D001)",)
    assert found.potential is Potential.HIGH

"""Each translated Python function gives in Spark, over a table of edge values, exactly what it gives in Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from analyzer.advisors.native import native_query

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

Table = tuple[str, list[tuple[Any, ...]]]
Tables = Callable[[tuple[str, ...]], Table]

INTS = (None, 0, 1, -1, 2, -2, 3, 7, -7, 10, -10, 999, -1000, 2**31 - 1, -(2**31))
BIGS = (*INTS, 2**53 + 1, -(2**53) - 1, 2**62, -(2**62))
FLOATS = (None, 0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 2.5, -2.5, 1e-300, 1e300, math.nan, math.inf, -math.inf, 3.0)
TEXTS = (
    None,
    "",
    " ",
    "abc",
    "ABC",
    "  Abc  ",
    "\t\n x \u00a0\u2003",
    "a-b--c",
    "straße",
    "ΑΣ",
    "İstanbul",
    "naïve café",
    "日本語",
    "😀 a😀b",
    "a'b\\c$d{e}",
    "line\nbreak",
    "x" * 40,
    "12 + 34 = 46",
    "٣٤",
    "0",
    "None",
    "\x1c",
    "end\n",
    "éé",
)
BOOLS = (None, True, False)
VALUES: dict[str, tuple[Any, ...]] = {"int": INTS, "bigint": BIGS, "double": FLOATS, "string": TEXTS, "boolean": BOOLS}

ONE_COLUMN = [
    ("double", "double", "return x + 1.0"),
    ("double", "double", "return -x * 2 - 0.5 + (x / 3.0)"),
    ("double", "double", "return abs(x)"),
    ("double", "double", "y = x\n    y *= 2.0\n    y += x\n    return y"),
    ("double", "boolean", "return x == 0.0"),
    ("double", "boolean", "return x != 1.0"),
    ("double", "boolean", "return x == x"),
    ("double", "boolean", "return x is None or x < 1.0"),
    ("double", "boolean", "return not (x is not None and x >= 0.1)"),
    ("double", "boolean", "return -1.0 < x <= 2.5 if x is not None else False"),
    ("double", "boolean", "return bool(x)"),
    ("double", "double", "return x or 5.0"),
    ("double", "double", "return 1.0 / x if x else 0.0"),
    ("double", "bigint", "return int(x)"),
    ("double", "double", "return math.sqrt(x)"),
    (
        "double",
        "string",
        "if x is None:\n        return 'none'\n    elif x > 1:\n        return 'big'\n    return 'small'",
    ),
    ("int", "bigint", "return x * x + 3 * x - 7"),
    ("int", "int", "return x % 7"),
    ("int", "bigint", "return x // 10"),
    ("bigint", "bigint", "return x // 7 if x is not None else None"),
    ("bigint", "int", "return x % 10"),
    ("bigint", "boolean", "return x == 9007199254740993"),
    ("bigint", "boolean", "return x in (0, 1, 999)"),
    ("bigint", "boolean", "return x not in {0, 7}"),
    ("int", "double", "return x / 3"),
    ("int", "double", "return x / 2 + x * 0.5"),
    ("int", "bigint", "return x ** 2"),
    ("int", "string", "return str(x)"),
    ("bigint", "string", "return f'<{x}>'"),
    ("int", "bigint", "return max(x, 0)"),
    ("int", "bigint", "return min(abs(x), 100)"),
    ("int", "double", "return float(x)"),
    ("int", "boolean", "return not x"),
    ("int", "string", "return NAMES.get(x)"),
    ("int", "bigint", "return POINTS.get(x, -1)"),
    ("int", "bigint", "if x is None:\n        y = 1\n    else:\n        y = x\n    z = y + 1\n    return z * y"),
    ("string", "string", "return x.lower()"),
    ("string", "string", "return x.upper()"),
    ("string", "string", "return x.strip()"),
    ("string", "string", "return x.strip(' ')"),
    ("string", "string", "return x.lstrip(' aA')"),
    ("string", "string", "return x.rstrip('c ')"),
    ("string", "boolean", "return x.startswith('a')"),
    ("string", "boolean", "return x.startswith(('a', 'A', '  '))"),
    ("string", "boolean", "return x.endswith('c') or x.endswith('')"),
    ("string", "boolean", "return 'b' in x"),
    ("string", "boolean", "return x == ''"),
    ("string", "boolean", "return x != 'abc'"),
    ("string", "boolean", "return x is not None and x < 'b'"),
    ("string", "boolean", "return x in ('abc', '', 'None')"),
    ("string", "string", "return x.replace('a', '$1\\\\')"),
    ("string", "string", "return x.replace('--', '')"),
    ("string", "int", "return len(x)"),
    ("string", "bigint", "return x.find('b')"),
    ("string", "string", "return x[:3]"),
    ("string", "string", "return x[2:5]"),
    ("string", "string", "return x[1:]"),
    ("string", "string", "return x[-2:]"),
    ("string", "string", "return x + '!' + x"),
    ("string", "string", "return f'{x}-{x}'"),
    ("string", "string", "return x or 'empty'"),
    ("string", "string", "return x and x.upper()"),
    ("string", "string", "return CODES.get(x, 'other')"),
    ("string", "string", "return NOISE.sub(' ', x.lower()).strip(' ')"),
    ("string", "string", "return re.sub(r'[aA]', '$0', x)"),
    ("string", "string", "return re.sub(r'\\s+', ' ', x)"),
    ("string", "string", "return re.sub(r'\\d+', '#', x)"),
    ("string", "string", "return re.sub(r'(a|b)-?', '', x)"),
    ("string", "string", "return re.sub(r'^a|c$', '_', x)"),
    ("string", "string", "return WORDS.sub('w', x)"),
    ("string", "boolean", "return bool(re.search(r'[0-9]{2,}', x))"),
    ("string", "boolean", "return re.match(r'a', x) is not None"),
    ("string", "boolean", "return re.fullmatch(r'[a-z]+', x) is None"),
    ("string", "boolean", "return re.search(r'break$|end$', x) is not None"),
    ("boolean", "boolean", "return not x"),
    ("boolean", "boolean", "return x is None"),
    ("boolean", "string", "return 'yes' if x else 'no'"),
    ("boolean", "boolean", "return x == True"),
]

MODULE = r"""
import math
import re

NAMES = {1: "one", -7: "minus seven", 999: None}
POINTS = {0: 5, 7: 50}
CODES = {"abc": "lower", "": "nothing", "None": "word"}
NOISE = re.compile("[^a-z0-9]+")
WORDS = re.compile(r"\w+", re.ASCII)


def run({arguments}):
    '''A function under translation.'''
    {body}
"""


@pytest.fixture(scope="module")
def tables(advised_spark: SparkSession) -> Iterator[Tables]:
    """One cached table of edge values per type or pair of types, in one partition so that its order stays."""
    made: dict[tuple[str, ...], Table] = {}

    def table(columns: tuple[str, ...]) -> Table:
        if columns not in made:
            rows = list(itertools.product(*(VALUES[column] for column in columns)))
            schema = ", ".join(f"c{place} {column}" for place, column in enumerate(columns))
            frame = advised_spark.createDataFrame([(n, *row) for n, row in enumerate(rows)], f"place int, {schema}")
            name = "_".join(("edge", *columns))
            frame.coalesce(1).cache().createOrReplaceTempView(name)
            made[columns] = (name, rows)
        return made[columns]

    yield table
    advised_spark.catalog.clearCache()


@pytest.mark.parametrize(("column", "returns", "body"), ONE_COLUMN, ids=[body[:60] for *_, body in ONE_COLUMN])
def test_a_function_of_one_column(
    advised_spark: SparkSession, tables: Tables, column: str, returns: str, body: str
) -> None:
    check(advised_spark, tables, ("x",), (column,), returns, body)


TWO_COLUMNS = [
    (("double", "double"), "double", "return x * y - x"),
    (("double", "double"), "boolean", "return x < y if x is not None and y is not None else None"),
    (("double", "double"), "boolean", "return x == y"),
    (("double", "double"), "boolean", "return x != y"),
    (("double", "int"), "double", "return x + y"),
    (("int", "int"), "double", "return x / y"),
    (("int", "int"), "boolean", "return x >= y"),
    (("bigint", "bigint"), "boolean", "return x == y"),
    (("string", "string"), "boolean", "return x == y"),
    (("string", "string"), "boolean", "return x in y"),
    (("string", "string"), "boolean", "return x <= y"),
    (("string", "string"), "string", "return min(x, y)"),
    (("boolean", "boolean"), "boolean", "return x and y"),
    (("boolean", "boolean"), "boolean", "return x or y"),
]


@pytest.mark.parametrize(("columns", "returns", "body"), TWO_COLUMNS, ids=[body[:60] for *_, body in TWO_COLUMNS])
def test_a_function_of_two_columns(
    advised_spark: SparkSession, tables: Tables, columns: tuple[str, str], returns: str, body: str
) -> None:
    check(advised_spark, tables, ("x", "y"), columns, returns, body)


def check(
    spark: SparkSession,
    tables: Tables,
    arguments: tuple[str, ...],
    columns: tuple[str, ...],
    returns: str,
    body: str,
) -> None:
    """Compare on the rows on which Python does not raise; where it raises, the original has no result to keep."""
    code = MODULE.replace("{arguments}", ", ".join(arguments)).replace("{body}", body)
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    expected: list[Any] = []
    kept: list[tuple[Any, ...]] = []
    places: list[str] = []
    view, rows = tables(columns)
    for place, row in enumerate(rows):
        try:
            value = namespace["run"](*row)
        except (TypeError, ZeroDivisionError, ValueError, OverflowError, AttributeError):
            continue
        if isinstance(value, int) and abs(value) >= 2**63:
            continue
        expected.append(value)
        kept.append(row)
        places.append(str(place))
    assert len(kept) >= min(2, len(rows)), "the case would show nothing"
    selected = ", ".join(f"c{place}" for place in range(len(columns)))
    inner = f"select {selected} from {view} where place in ({', '.join(places)})"
    sql = native_query(code, "run", inner, columns, returns)
    given = [row[0] for row in spark.sql(sql).collect()]
    differing = [
        (row, wanted, got) for row, wanted, got in zip(kept, expected, given, strict=True) if not same(wanted, got)
    ]
    assert not differing, f"{sql}\n{differing[:5]}"


def same(wanted: Any, got: Any) -> bool:
    """Equal to the last bit; NaN is like NaN, and -0.0 is not 0.0."""
    return type(wanted) is type(got) and repr(wanted) == repr(got)

"""Entries that Python takes pass, however they come about; only what is surely wrong is a mistake."""

from __future__ import annotations

import json

import pytest

from orchestrator.orders import parse_order

ORDER = """\
name: entries
databases:
  shop: {{dataset: {{generator: tpch, scale: 0.01}}}}
experiments:
  - name: one
    database: shop
    tables: [lineitem]
    parameters: {{low: [1, 2]}}
    snippets:
      - name: uses
        kind: sql
        code: select * from lineitem where l_orderkey > :low
      - name: code
        kind: {kind}
        {more}
        code: {code}
"""


@pytest.mark.parametrize(
    "code",
    [
        "def run(spark, low): ...",
        "def run(spark, *, low): ...",
        "def run(spark, low=3, other=4): ...",
        "def run(spark, **parameters): ...",
        "def run(*everything, **parameters): ...",
        "run = lambda spark, low: None",
        "from elsewhere import run",
        "from elsewhere import *",
        "import functools\n@functools.cache\ndef run(): ...",
        "try:\n    import fast\nexcept ImportError:\n    def run(spark, low): ...",
        "if True:\n    def run(spark, low): ...",
        "class run:\n    def __init__(self, spark, low): ...",
        "x, run = 1, print",
    ],
)
def test_entry_of_a_dataframe_is_no_mistake(code: str) -> None:
    text = ORDER.format(kind="dataframe", more="entry: run", code=json.dumps(code))
    assert parse_order(text).order.experiments[0].snippet("code").code == code


@pytest.mark.parametrize(
    "code", ["def run(a, b): ...", "def run(*columns): ...", "def run(a, b=1, c=2): ...", "from elsewhere import run"]
)
def test_entry_of_a_udf_takes_the_columns_of_its_input(code: str) -> None:
    more = 'input: "select l_tax, l_discount from lineitem where l_orderkey > :low"\n        returns: double'
    text = ORDER.format(kind="python_udf", more=more, code=json.dumps(code))
    assert parse_order(text).order.experiments[0].snippet("code").code == code


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("entry: run", "def run(low): ..."),
        ("input: select l_tax from lineitem", "def run(rows, low): ..."),
        ("input: select l_tax from lineitem", "def run(rows, **parameters): ..."),
    ],
)
def test_entry_of_a_function_takes_its_input_first(more: str, code: str) -> None:
    text = ORDER.format(kind="function", more=more, code=json.dumps(code))
    assert parse_order(text).order.experiments[0].snippet("code").code == code

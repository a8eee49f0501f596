"""What is refused by reading it, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzer.proof.screening import refusals
from orchestrator.orders import read_order
from snipbench.domain.order import Role, Snippet

ROOT = Path(__file__).parents[3]
RUN = "def run(x):\n    return x\n"


def snippet(kind: str, code: str, **fields: Any) -> Snippet:
    own = {"input": "select 1", "returns": "int"} if kind.endswith("udf") else {}
    return Snippet(**({"name": "a", "kind": kind, "code": code, "template": "t"} | own | fields))


ROW = snippet("python_udf", "import colorsys\n" + RUN)
FRAME = snippet("dataframe", "def run(spark):\n    return spark.table('t')\n")
QUERY = snippet("sql", "select 1")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os\n" + RUN, "imports os"),
        ("import subprocess as numpy\n" + RUN, "imports subprocess"),
        ("from socket import socket\n" + RUN, "imports socket"),
        ("import ctypes\n" + RUN, "imports ctypes"),
        ("import time\n" + RUN, "imports time"),
        ("def run(x):\n    import sys\n    return x\n", "imports sys"),
        ("from . import secrets\n" + RUN, "relatively"),
        ("import somebody_elses\n" + RUN, "imports somebody_elses"),
        ("import pyarrow.fs\n" + RUN, "imports pyarrow.fs"),
        ("from pyspark import SparkContext\n" + RUN, "SparkContext"),
        ("import snipbench\n" + RUN, "imports snipbench"),
        ("def run(x):\n    return eval('x')\n", "uses eval"),
        ("def run(x):\n    return open('/etc/passwd').read()\n", "uses open"),
        ("def run(x):\n    return __import__('os')\n", "uses __import__"),
        ("def run(x):\n    return globals()\n", "uses globals"),
        ("def run(x):\n    return __builtins__\n", "uses __builtins__"),
        ("def run(x):\n    return x.__class__.__bases__\n", ".__class__"),
        ("def run(x):\n    return getattr(x, '_jvm')\n", "._jvm"),
        ("def run(x):\n    return getattr(x, '_j' + 'vm')\n", "not written out"),
        ("from uuid import os\n" + RUN, "imports os from uuid"),
        ("import uuid\ndef run(x):\n    return uuid.os.getpid()\n", "a way out of uuid"),
        ("import json\ndef run(x):\n    return json.codecs.open('/tmp/kept')\n", "a way out of json"),
        ("import operator\nclock = operator.attrgetter('__globals__')\n" + RUN, ".__globals__"),
        ("import operator\nfor name in ('_jvm',):\n    operator.attrgetter(name)\n" + RUN, "not written out"),
        ("from operator import attrgetter as get\n" + RUN, "hands on attrgetter"),
        ("import operator\nget = operator.attrgetter\n" + RUN, "hands on attrgetter"),
        ("import operator\nkeep = operator.methodcaller('cache')\n" + RUN, "reaches for .cache"),
        ("import json\nkept = json.JSONDecoder\nkept.answers = {}\n" + RUN, "kept.answers"),
        ("import calendar\nkept = calendar.mdays\ndef run(x):\n    kept.append(x)\n    return x\n", "kept"),
        ("import calendar\ndef run(x):\n    calendar.mdays.append(x)\n    return x\n", "calendar.mdays"),
        ("import math\nmath.pi = 3\n" + RUN, "math.pi"),
        ("import math\ndef run(x):\n    math.kept[x] = 1\n    return x\n", "math.kept"),
        ("import datetime\ndel datetime.datetime\n" + RUN, "datetime.datetime"),
        ("import pandas as pd\ndef run(x):\n    return pd.read_csv('/tmp/x')\n", "read_csv()"),
        ("import pandas as pd\npd.set_option('mode.copy_on_write', x)\n" + RUN, "set_option()"),
        (
            "import pandas as pd\n@pd.api.extensions.register_series_accessor('kept')\nclass Kept:\n    memo = {}\n"
            + RUN,
            "register_series_accessor()",
        ),
        ("import decimal\ndecimal.setcontext(decimal.Context(prec=3))\n" + RUN, "setcontext()"),
        ("class Late(list):\n    pass\n" + RUN, "derives from list"),
        ("class Late(metaclass=type):\n    pass\n" + RUN, "metaclass"),
        ("def walk(x):\n    return x\n", "no function 'run'"),
        ("run = lambda x: x\n", "no function 'run'"),
        ("def run(x:\n", "cannot read"),
        ("", "no code"),
        ("x = 1\n" * 20_000, "longer than"),
    ],
)
def test_code_that_reaches_for_what_no_snippet_needs_is_refused_with_a_plain_reason(code: str, reason: str) -> None:
    assert any(reason in told for told in refusals(ROW, snippet("python_udf", code)))


@pytest.mark.parametrize(
    "body",
    [
        "spark.table('t').cache()",
        "spark.table('t').persist()",
        "spark.read.parquet('/tmp/x')",
        "spark.conf.set('a', 'b')",
        "spark.catalog.listTables()",
        "spark.sparkContext.parallelize([1])",
        "spark._jvm.java.lang.System.exit(0)",
        "spark.table('t').createOrReplaceTempView('u')",
        "spark.sql(\"select reflect('java.lang.System', 'exit', 0)\")",
        "spark.sql('select `java_method`(\\'java.lang.System\\', \\'exit\\', 0)')",
        "spark.table('t').select(F.call_function('java_method', F.lit('java.lang.System')))",
        "spark.table('t').select(call_function(name, 1))",
        "spark.stop()",
        "spark.table('t').write.saveAsTable('u')",
        "setdefault(spark, 'kept')\n    spark.kept = 1",
    ],
)
def test_a_frame_that_leaves_something_behind_or_goes_round_the_views_is_refused(body: str) -> None:
    assert refusals(FRAME, snippet("dataframe", f"def run(spark):\n    return {body}\n"))


@pytest.mark.parametrize(
    "code",
    [
        *("select * from parquet.`/etc/x`", "select java_method('a', 'b')", "select * from a.b"),
        *("select `java_method`('a', 'b')", "select java_method/**/('a', 'b')", "select reflect -- \n ('a', 'b')"),
    ],
)
def test_a_query_that_goes_round_the_views_is_refused(code: str) -> None:
    assert refusals(QUERY, snippet("sql", code))


@pytest.mark.parametrize(
    "code",
    [
        "import re\nfrom functools import lru_cache\n\n@lru_cache\ndef run(x):\n    return re.sub('a', 'b', x)\n",
        "import colorsys\n" + RUN,
        "import math\nkept = {}\ndef run(x):\n    kept[x] = math.sqrt(x)\n    return kept[x]\n",
        "from datetime import time\nimport datetime\ndef run(x):\n    return datetime.time(1) < time(2)\n",
        "import operator\ndef run(*rows):\n    return sorted(rows, key=operator.attrgetter('place'))\n",
        "import numpy as np\ndef run(x):\n    x = [x]\n    x.append(1)\n    return np.append(x, 2)\n",
        "import pandas as pd\ndef run(x):\n    table = pd.DataFrame(x)\n    table['y'] = 1\n    return table.x\n",
        "from datetime import date\ndef run(x):\n    return date(x.year, 1, 1)\n",
        "def run(*rows):\n    _, first = 1, rows[0]\n    return slice(1, 2).stop + first._1\n",
        "from pyspark.sql import functions as F\ndef run(x):\n    return F.call_function('abs', 'x')\n",
        "class Pair:\n    def __init__(self, a):\n        self.a = a\n" + RUN,
    ],
)
def test_ordinary_code_passes(code: str) -> None:
    assert refusals(ROW, snippet("python_udf", code)) == ()


def test_a_kind_that_cannot_take_the_place_is_refused() -> None:
    assert refusals(QUERY, ROW) == ("kind python_udf cannot replace sql",)
    assert refusals(ROW, QUERY) == ()


def test_no_snippet_of_our_own_orders_would_be_refused() -> None:
    for path in [ROOT / "configs" / "quickstart.yaml", *sorted((ROOT / "configs" / "corpus").glob("*.yaml"))]:
        for experiment in read_order(path).order.experiments:
            for own in experiment.snippets:
                if own.role is not Role.FLOOR:
                    assert refusals(own, own) == (), f"{path.name}: {own.name}"

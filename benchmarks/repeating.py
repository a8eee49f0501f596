"""The same order twice: do the intervals of the medians overlap, as two looks at the same thing should?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.result import Goal, Row

ORDER = """\
name: repeating
seed: 5
spark: {conf: {spark.sql.shuffle.partitions: 2}}
databases:
  shop: {dataset: {generator: tpch, scale: 0.02}}
experiments:
  - name: repeating
    database: shop
    tables: [lineitem]
    source: cached
    warmups: 5
    repetitions: 20
    snippets:
      - name: row
        kind: python_udf
        input: select cast(l_quantity as double) as quantity from lineitem
        returns: double
        code: |
          def run(quantity):
              return quantity + 1.0
      - name: pandas
        kind: pandas_udf
        variant_of: row
        code: |
          import pandas as pd

          def run(quantity: pd.Series) -> pd.Series:
              return quantity + 1.0
      - {name: native, kind: sql, variant_of: row, code: select cast(l_quantity as double) + 1 from lineitem}
"""


def run() -> Sequence[Row]:
    """Two tasks of one order in one home; shares of overlapping intervals, plan hash and result hashes compared."""
    import snipbench

    with tempfile.TemporaryDirectory(prefix="snipbench-repeating-") as folder:
        order = Path(folder) / "repeating.yaml"
        order.write_text(ORDER, "utf-8")
        print("repeating: two tasks of one order", file=sys.stderr)
        first, second = (snipbench.run(order, home=Path(folder) / "home").outcome for _ in range(2))
    pairs = list(zip(_snippets(first), _snippets(second), strict=True))
    times = [_overlap(a["wall_seconds"], b["wall_seconds"]) for a, b in pairs]
    ratios = [
        _overlap(a["ratio_to_baseline"], b["ratio_to_baseline"]) for a, b in pairs if a["ratio_to_baseline"] is not None
    ]
    same = [a["result_hash"] == b["result_hash"] for a, b in pairs]
    return (
        Row("intervals of the median wall time that overlap", sum(times) / len(times), "share of snippets"),
        Row("intervals of the paired ratio that overlap", sum(ratios) / len(ratios), "share", Goal(at_least=1.0)),
        Row("equal result hashes", sum(same) / len(same), "share", Goal(at_least=1.0)),
        Row("equal plan hashes", float(first["plan_hash"] == second["plan_hash"]), "share", Goal(at_least=1.0)),
    )


def _snippets(outcome: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for experiment in outcome["experiments"]:
        yield from experiment["snippets"]


def _overlap(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return bool(first["low"] <= second["high"] and second["low"] <= first["high"])

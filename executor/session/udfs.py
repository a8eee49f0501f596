"""Kinds whose code becomes a UDF over all columns of ``input``; the measured frame is its one result column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its customary name

from executor.session.code import loaded
from executor.session.kinds import Loaded, input_of, loads, query
from executor.session.rules import RuleBroken
from snipbench.domain.order import Kind, Scalar, Snippet

MAKERS: dict[Kind, Callable[..., Any]] = {
    Kind.PYTHON_UDF: partial(F.udf, useArrow=False),
    Kind.ARROW_PYTHON_UDF: partial(F.udf, useArrow=True),
    Kind.PANDAS_UDF: F.pandas_udf,
    Kind.ARROW_UDF: F.arrow_udf,
}
"""``useArrow`` is always stated: its default has changed between versions of Spark."""


@loads(*MAKERS)
def load_udf(spark: SparkSession, snippet: Snippet, parameters: Mapping[str, Scalar], stack: ExitStack) -> Loaded:
    """``def run(*columns)`` on values, pandas series or Arrow arrays, by kind."""
    text = input_of(snippet)
    if snippet.returns is None:
        raise RuleBroken("MissingReturns", f"a snippet of kind {snippet.kind.value} needs `returns:`, a Spark SQL type")
    entry = stack.enter_context(loaded(snippet))
    make, returns = MAKERS[snippet.kind], snippet.returns

    def compute() -> DataFrame:
        source = query(spark, text, parameters)
        # By position: names may repeat or hold dots. The renaming projection is collapsed by the optimiser.
        columns = [f"c{position}" for position in range(len(source.columns))]
        return source.toDF(*columns).select(make(entry, returns)(*columns).alias(snippet.entry))

    return Loaded(compute, gives_frame=True, input_frame=lambda: query(spark, text, parameters))

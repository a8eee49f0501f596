"""Kinds whose code gives a frame: ``sql`` and ``dataframe``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from pyspark.sql import SparkSession

from executor.session.code import loaded
from executor.session.kinds import Loaded, loads, query
from snipbench.domain.order import Kind, Scalar, Snippet


@loads(Kind.SQL)
def load_sql(spark: SparkSession, snippet: Snippet, parameters: Mapping[str, Scalar], stack: ExitStack) -> Loaded:
    """One statement over the views."""
    del stack
    return Loaded(lambda: query(spark, snippet.code, parameters), gives_frame=True)


@loads(Kind.DATAFRAME)
def load_dataframe(spark: SparkSession, snippet: Snippet, parameters: Mapping[str, Scalar], stack: ExitStack) -> Loaded:
    """``def run(spark, **parameters) -> DataFrame``."""
    entry = stack.enter_context(loaded(snippet))
    return Loaded(lambda: entry(spark, **parameters), gives_frame=True)

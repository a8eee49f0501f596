"""What becomes of a snippet's result: materialised, required to be there, judged for silent NULLs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - its customary name

from executor.session.kinds import Loaded
from executor.session.rules import RuleBroken
from snipbench.domain.order import Snippet
from snipbench.domain.result import ResultFacts


def materialise(result: Any) -> None:
    """Compute every row of a frame and write it nowhere. What is no frame is left to :func:`require_result`."""
    if isinstance(result, DataFrame):
        result.write.format("noop").mode("overwrite").save()


def require_result(result: Any, snippet: Snippet, *, gives_frame: bool) -> None:
    """RuleBroken if the snippet gave nothing, or what its kind does not give."""
    if gives_frame and not isinstance(result, DataFrame):
        what = "nothing (None)" if result is None else f"a {type(result).__name__}"
        raise RuleBroken(
            "ReturnedNothing" if result is None else "ReturnedNoDataFrame",
            f"{snippet.entry}() returned {what}; a snippet of kind {snippet.kind.value} must return a DataFrame",
        )
    if not gives_frame and isinstance(result, Iterator):
        raise RuleBroken(
            "ReturnedIterator",
            f"{snippet.entry}() returned a {type(result).__name__}, whose work is still to be done when the timer has "
            "stopped; return its values, for instance as a list",
        )


def all_null_failure(snippet: Snippet, facts: ResultFacts, loaded: Loaded) -> RuleBroken | None:
    """``AllNull`` if a UDF turned input that has values into NULLs alone (design, rule 4)."""
    if snippet.allow_all_null or loaded.input_frame is None or not facts.all_null_columns:
        return None
    source = loaded.input_frame()
    source = source.toDF(*[f"c{position}" for position in range(len(source.columns))])
    any_value = reduce(lambda left, right: left | right, [F.col(name).isNotNull() for name in source.columns])
    if source.where(any_value).isEmpty():
        return None
    return RuleBroken(
        "AllNull",
        f"all {facts.rows} values of the result are NULL though the input has values: does {snippet.entry}() return "
        f"what `returns: {snippet.returns}` says? Spark turns a value of another type, such as a Decimal for `double`, "
        "into NULL without a word. If NULLs are meant, say `allow_all_null: true`",
    )

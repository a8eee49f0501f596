"""Work on a loaded snippet that nobody times: its result's facts, whether two give the same, its plan."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from time import perf_counter
from typing import Any

from pyspark.sql import SparkSession

from executor.calls import SnippetCall
from executor.results import fingerprint, local_fingerprint, same_local_result, same_result
from executor.session.kinds import Loaded, load
from executor.session.outcome import all_null_failure, materialise, require_result
from snipbench.domain.result import Comparison, Equality

Body = dict[str, Any]
BY_HASH_ALONE = "the hashes differ, and a frame and a value of Python are compared by their hashes alone"


def facts(spark: SparkSession, call: SnippetCall, loaded: Loaded, body: Body) -> Body:
    """``ResultFacts`` as plain values; ``body["sort_keys"]`` are the baseline's, for a variant.

    Raises:
        RuleBroken: the snippet gave nothing, or turned values into NULLs alone.
        UnhashableResult: a function gave something of a type without a defined hash.
    """
    del spark
    result = _result(call, loaded)
    if not loaded.gives_frame:
        return asdict(local_fingerprint(result))
    keys = body["sort_keys"]
    found = fingerprint(result, sort_keys=None if keys is None else tuple(keys))
    if (broken := all_null_failure(call.snippet, found, loaded)) is not None:
        raise broken
    return asdict(found)


def judgement(spark: SparkSession, call: SnippetCall, loaded: Loaded, body: Body) -> Body:
    """``Comparison`` of the call, a variant, with ``body["baseline"]``, as plain values."""
    baseline = SnippetCall.from_wire(body["baseline"])
    with ExitStack() as stack:
        first = load(spark, baseline.snippet, dict(baseline.parameters), stack)
        expected, found = _result(baseline, first), _result(call, loaded)
        if first.gives_frame != loaded.gives_frame:
            return asdict(Comparison(Equality.INCONCLUSIVE, BY_HASH_ALONE))
        if not loaded.gives_frame:
            return asdict(same_local_result(expected, found, float_tolerance=body["float_tolerance"]))
        return asdict(same_result(expected, found, float_tolerance=body["float_tolerance"]))


def plan(spark: SparkSession, call: SnippetCall, loaded: Loaded, body: Body) -> Body:
    """Spark's formatted plan; empty for a function."""
    del body
    if not loaded.gives_frame:
        return {"plan": ""}
    mode = spark.sparkContext._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("formatted")
    return {"plan": _result(call, loaded)._jdf.queryExecution().explainString(mode)}


def once(spark: SparkSession, call: SnippetCall, loaded: Loaded, body: Body) -> Body:
    """Execute it as a measured run does; what it gives is dropped."""
    del spark, body
    begun = perf_counter()
    result = _result(call, loaded)
    if loaded.gives_frame:
        materialise(result)
    return {"seconds": perf_counter() - begun}


def _result(call: SnippetCall, loaded: Loaded) -> Any:
    result = loaded.compute()
    require_result(result, call.snippet, gives_frame=loaded.gives_frame)
    return result

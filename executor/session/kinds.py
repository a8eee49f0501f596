"""The registry of kinds: how each kind of snippet becomes something that can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from executor.session.rules import RuleBroken
from snipbench.domain.order import Kind, Scalar, Snippet


@dataclass(frozen=True, slots=True)
class Loaded:
    """A snippet ready to run.

    ``compute`` is what is timed: for a kind whose result is a frame it gives the frame, which is then materialised;
    for a ``function`` it is the call itself.
    """

    compute: Callable[[], Any]
    gives_frame: bool
    input_frame: Callable[[], DataFrame] | None = None
    """For UDF kinds: the frame of ``input`` alone."""


Loader = Callable[[SparkSession, Snippet, Mapping[str, Scalar], ExitStack], Loaded]
"""``(session, snippet, parameters, stack)``; what must be undone after the run is pushed on the stack."""

_LOADERS: dict[Kind, Loader] = {}


def loads(*kinds: Kind) -> Callable[[Loader], Loader]:
    """Register a loader for ``kinds``."""

    def register(loader: Loader) -> Loader:
        _LOADERS.update(dict.fromkeys(kinds, loader))
        return loader

    return register


def load(spark: SparkSession, snippet: Snippet, parameters: Mapping[str, Scalar], stack: ExitStack) -> Loaded:
    """The snippet, ready to run.

    Raises:
        RuleBroken: ``UnknownKind``, or the code is not what its kind asks for.
        Exception: whatever the snippet's module raises when it is executed.
    """
    from executor.session import frames, functions, udfs

    del frames, functions, udfs  # imported for their registrations
    loader = _LOADERS.get(snippet.kind)
    if loader is None:
        raise RuleBroken("UnknownKind", f"this executor does not run snippets of kind {snippet.kind.value}")
    return loader(spark, snippet, parameters, stack)


def query(spark: SparkSession, text: str, parameters: Mapping[str, Scalar]) -> DataFrame:
    """One statement over the views; ``:name`` is bound, never pasted."""
    return spark.sql(text, args=dict(parameters))


def input_of(snippet: Snippet) -> str:
    """The snippet's ``input`` query; RuleBroken ``MissingInput`` if there is none."""
    if snippet.input is None:
        raise RuleBroken("MissingInput", f"a snippet of kind {snippet.kind.value} needs `input:`, a query")
    return snippet.input

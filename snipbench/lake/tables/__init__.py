"""All tables of the lake by name (design, section 7), in the order in which people meet them."""

from __future__ import annotations

from snipbench.errors import UsageError
from snipbench.lake.columns import Table
from snipbench.lake.tables.derived import COMPARISONS, SUMMARIES
from snipbench.lake.tables.learned import FEATURES, MODELS, PREDICTIONS, SUGGESTIONS, VERIFICATIONS
from snipbench.lake.tables.measured import (
    ATTEMPTS,
    FUNCTION_CALLS,
    FUNCTIONS,
    RUN_METRICS,
    RUNS,
    SAMPLES,
    THREAD_ZEPPELIN_COLUMNS,
)
from snipbench.lake.tables.received import ENVIRONMENTS, EVENTS, EXPERIMENTS, ORDERS, SNIPPETS, TASKS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        ORDERS,
        TASKS,
        EXPERIMENTS,
        SNIPPETS,
        ENVIRONMENTS,
        EVENTS,
        RUNS,
        ATTEMPTS,
        SAMPLES,
        RUN_METRICS,
        FUNCTION_CALLS,
        FUNCTIONS,
        SUMMARIES,
        COMPARISONS,
        FEATURES,
        MODELS,
        PREDICTIONS,
        SUGGESTIONS,
        VERIFICATIONS,
    )
}

VIEWS: dict[str, tuple[str, str]] = {
    "thread_zeppelin": (
        "The 17 columns of S2.2 of every profiled call",
        f"select {', '.join(THREAD_ZEPPELIN_COLUMNS)} from function_calls",
    )
}
"""Views by name: ``(description, statement)``."""


def table_of(name: str) -> Table:
    """The table of that name.

    Raises:
        UsageError: there is none; the message lists those that there are.
    """
    if name not in TABLES:
        raise UsageError(f"there is no table {name!r}; the tables are {', '.join(TABLES)}")
    return TABLES[name]


__all__ = ["TABLES", "THREAD_ZEPPELIN_COLUMNS", "VIEWS", "table_of"]

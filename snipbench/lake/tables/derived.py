"""What follows from the runs: summaries and comparisons."""

from __future__ import annotations

from snipbench.lake.columns import (
    EXPERIMENT,
    PARAMETERS,
    SNIPPET,
    TASK_ID,
    Column,
    Table,
    flag,
    integer,
    key,
    number,
    text,
)


def _interval(measure: str, what: str, unit: str) -> tuple[Column, ...]:
    return (
        number(f"{measure}_median", f"Median of {what} over the measured runs that ended well", unit),
        number(f"{measure}_low", "Lower bound of its exact 95 % interval; null where too few runs tell", unit),
        number(f"{measure}_high", "Upper bound of it", unit),
    )


SUMMARIES = Table(
    "summaries",
    "Figures of each snippet at each parameter point",
    (
        TASK_ID,
        EXPERIMENT,
        SNIPPET,
        PARAMETERS,
        text("kind", "Snippet's kind"),
        text("baseline", "Snippet that it is compared with"),
        integer("runs", "Measured runs", "count"),
        integer("failed", "Of them, those that did not end well", "count"),
        integer("outliers", "Of them, labelled as outliers", "count"),
        integer("sessions", "Sessions that the measured runs come from", "count"),
        *_interval("wall_seconds", "the wall time", "seconds"),
        *_interval("cpu_seconds_executor", "the executor's CPU time", "seconds"),
        *_interval("cpu_seconds_database", "the database's CPU time", "seconds"),
        *_interval("memory_peak_bytes", "the peak memory", "bytes"),
        number("confidence_achieved", "Coverage that the interval of the wall time guarantees", "ratio"),
        text("result_hash", "Hash of the result"),
        text("equality", "Result against the baseline's: equal, equal_within_tolerance, different, inconclusive"),
        flag("steady", "Whether the measured wall times show no trend from run to run; null where too few tell"),
    ),
)

COMPARISONS = Table(
    "comparisons",
    "Each variant against its baseline, by pairs of one block and one session",
    (
        TASK_ID,
        EXPERIMENT,
        SNIPPET,
        PARAMETERS,
        key("baseline", "Snippet that it is compared with"),
        key("measure", "wall_seconds, cpu_seconds_executor or cpu_seconds_database"),
        number("ratio_median", "Median of variant ÷ baseline; below 1 needs less", "ratio"),
        number("ratio_low", "Lower bound of its exact 95 % interval", "ratio"),
        number("ratio_high", "Upper bound of it", "ratio"),
        integer("pairs", "Pairs used", "count"),
        integer("pairs_unusable", "Pairs with a side that failed or could not be measured", "count"),
        integer("sessions", "Sessions that the pairs come from", "count"),
        key("verdict", "faster, slower, no_difference or inconclusive; the last if equality is not shown"),
    ),
)

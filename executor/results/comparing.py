"""Whether two Spark results are the same, with a tolerance for floats (design, rule 4).

Only results whose hashes differ get here. A row is split into its *exact part* (its encoding with every finite float
left out) and its floats. Rows are grouped by exact part, sorted by floats in each group, and paired in that order.
Everything happens in Spark, on disk where it must: a task holds no more than Spark's own sort does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as sf
from pyspark.sql import types as spark

from executor.results.columns import display, encode, floats
from executor.results.frames import PARTITION, by_position, column_classes, fingerprint, key_columns, renamed
from executor.results.ordering import SortKey, out_of_order, verifiable
from snipbench.domain.result import Comparison, Equality, ResultFacts

MAX_COMPARED_ROWS = 10_000_000
"""Rows a side up to which results are compared row by row; beyond it the answer is ``inconclusive``."""

SHOWN_ROWS = 5
SHOWN_CHARACTERS = 300
_EXAMINED_GROUPS = 20


def same_result(
    baseline: DataFrame,
    variant: DataFrame,
    *,
    float_tolerance: float,
    baseline_facts: ResultFacts | None = None,
    variant_facts: ResultFacts | None = None,
) -> Comparison:
    """Judge a variant's result against its baseline's.

    :param float_tolerance: relative; ``a`` and ``b`` agree when ``|a - b| <= float_tolerance * max(|a|, |b|)``.
    :param baseline_facts: what :func:`fingerprint` gave for it, to save an execution.
    :param variant_facts: likewise, taken with the baseline's ``sort_keys``.
    :raises UnhashableResult: for a column of a type without a defined hash.
    """
    ours = baseline_facts or fingerprint(baseline)
    theirs = variant_facts or fingerprint(variant, sort_keys=ours.sort_keys)
    if ours.result_hash == theirs.result_hash:
        return Comparison(Equality.EQUAL, "the hashes are equal")
    mismatch = class_mismatch(column_classes(baseline), column_classes(variant))
    if mismatch is not None:
        return Comparison(Equality.DIFFERENT, mismatch)
    if max(ours.rows, theirs.rows) > MAX_COMPARED_ROWS:
        return Comparison(
            Equality.INCONCLUSIVE,
            f"the hashes differ, and {max(ours.rows, theirs.rows)} rows are more than the {MAX_COMPARED_ROWS} "
            "that are compared row by row",
        )
    left, right = _prepared(baseline), _prepared(variant)
    try:
        found = _judge(left, right, ours, theirs, float_tolerance)
    finally:
        left.unpersist()
        right.unpersist()
    if found.equality is not Equality.DIFFERENT and ours.in_order != theirs.in_order:
        return Comparison(
            Equality.DIFFERENT,
            f"the rows are not in the baseline's order ({', '.join(ours.sort_keys)})",
            _out_of_order_rows(variant, ours),
        )
    return found


def class_mismatch(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """Why two lists of column classes differ, in words; None if they do not."""
    if len(ours) != len(theirs):
        return f"the baseline has {len(ours)} columns, the variant {len(theirs)}"
    for position, (our, their) in enumerate(zip(ours, theirs, strict=True), start=1):
        if our != their:
            return f"column {position} is {our} in the baseline and {their} in the variant"
    return None


def _prepared(frame: DataFrame) -> DataFrame:
    """Per row: hash of the exact part, floats, and a text to show; executed once and kept on disk until unpersisted."""
    columns = by_position(frame)
    exact = sf.concat(sf.lit(""), *[encode(column, dtype, exact=False) for column, dtype in columns])
    numbers = sf.concat(sf.array().cast("array<double>"), *[floats(column, dtype) for column, dtype in columns])
    return (
        renamed(frame)
        .select(
            sf.sha2(exact, 256).alias("exact"),
            numbers.alias("floats"),
            _text(columns).alias("text"),
        )
        .persist(StorageLevel.DISK_ONLY)
    )


def _text(columns: Sequence[tuple[Column, spark.DataType]]) -> Column:
    text = sf.concat_ws(", ", *[display(column, dtype) for column, dtype in columns])
    return sf.concat(sf.lit("("), sf.substring(text, 1, SHOWN_CHARACTERS), sf.lit(")"))


def _judge(left: DataFrame, right: DataFrame, ours: ResultFacts, theirs: ResultFacts, tolerance: float) -> Comparison:
    pairs = _paired(left, right)
    both = sf.col("floats").isNotNull() & sf.col("other_floats").isNotNull()
    wrong = sf.coalesce(~_agree(sf.col("floats"), sf.col("other_floats"), tolerance), sf.lit(True))
    found = pairs.agg(
        sf.count_if(~both).alias("unpaired"),
        sf.count_if(both & wrong).alias("apart"),
        sf.max(sf.size("floats")).alias("floats"),
    ).first()
    if not found["unpaired"] and not found["apart"]:
        return Comparison(Equality.EQUAL_WITHIN_TOLERANCE, f"floats differ by at most {tolerance:g}, relatively")
    shown = _shown(pairs.filter(wrong))
    if found["unpaired"]:
        if ours.rows != theirs.rows:
            reason = f"the baseline has {ours.rows} rows, the variant {theirs.rows}"
        else:
            reason = f"rows without a counterpart that equals them in all but floats: {found['unpaired']}"
        return Comparison(Equality.DIFFERENT, reason, shown)
    reason = f"floats differ by more than {tolerance:g}, relatively, in {found['apart']} of {ours.rows} rows"
    # With one float a row, pairing in sorted order is the best there is. With more, near ties may have crossed rows.
    if found["floats"] == 1 or _proven_apart(left, right, pairs.filter(wrong), tolerance):
        return Comparison(Equality.DIFFERENT, reason, shown)
    return Comparison(
        Equality.INCONCLUSIVE,
        f"paired in sorted order, {reason}; but nearly equal floats allow other pairings",
        shown,
    )


def _paired(left: DataFrame, right: DataFrame) -> DataFrame:
    """Rows of both sides joined by exact part and rank within it; the columns of a side without a partner are NULL."""
    rank = sf.row_number().over(Window.partitionBy("exact").orderBy("floats"))
    ranked = [side.withColumn("rank", rank) for side in (left, right)]
    other = ranked[1].select(
        "exact", "rank", sf.col("floats").alias("other_floats"), sf.col("text").alias("other_text")
    )
    return ranked[0].join(other, ["exact", "rank"], "full_outer")


def _agree(ours: Column, theirs: Column, tolerance: float) -> Column:
    """Whether two arrays of finite floats, equally long, agree element by element."""

    def near(a: Column, b: Column) -> Column:
        return sf.abs(a - b) <= sf.lit(tolerance) * sf.greatest(sf.abs(a), sf.abs(b))

    return sf.forall(sf.zip_with(ours, theirs, near), lambda agrees: agrees)


def _shown(wrong: DataFrame) -> tuple[str, ...]:
    """The first differing rows, in an order that does not depend on how Spark spread them.

    By rank first: in a group that lost a row, all later pairs are shifted, and the first one shows where.
    """
    rows = wrong.orderBy("rank", sf.coalesce("text", "other_text"), "other_text").head(SHOWN_ROWS)
    return tuple(_told(row) for row in rows)


def _told(row: Any) -> str:
    if row["other_text"] is None:
        return f"only in the baseline: {row['text']}"
    if row["text"] is None:
        return f"only in the variant: {row['other_text']}"
    return f"baseline {row['text']}, variant {row['other_text']}"


def _proven_apart(left: DataFrame, right: DataFrame, wrong: DataFrame, tolerance: float) -> bool:
    """Whether no pairing at all can match the rows.

    At the first wrong pair of a group, every row near it on one side needs a partner near it on the other side, where
    "near" may reach twice as far (three times covers the rounding of the relative bound). Fewer candidates than rows
    is a proof (Hall's condition), and so is a group of one row a side; otherwise the question stays open.
    """
    first = Window.partitionBy("exact").orderBy("rank")
    groups = (
        wrong.withColumn("turn", sf.row_number().over(first))
        .filter("turn = 1")
        .select("exact", sf.col("floats").alias("ours"), sf.col("other_floats").alias("theirs"))
        .orderBy("exact")
        .limit(_EXAMINED_GROUPS)
    )

    def near(side: DataFrame) -> DataFrame:
        def count(point: str, reach: float) -> Column:
            return sf.count_if(_agree(sf.col("floats"), sf.col(point), reach * tolerance))

        return (
            side.join(sf.broadcast(groups), "exact")
            .groupBy("exact")
            .agg(
                sf.count(sf.lit(1)).alias("rows"),
                count("ours", 1).alias("near_ours"),
                count("ours", 3).alias("around_ours"),
                count("theirs", 1).alias("near_theirs"),
                count("theirs", 3).alias("around_theirs"),
            )
        )

    joined = near(left).alias("l").join(near(right).alias("r"), "exact")
    too_few = (sf.col("l.near_ours") > sf.col("r.around_ours")) | (sf.col("r.near_theirs") > sf.col("l.around_theirs"))
    return bool(joined.filter(too_few | (sf.col("l.rows") == 1)).head(1))


def _out_of_order_rows(variant: DataFrame, baseline: ResultFacts) -> tuple[str, ...]:
    """The first rows that come before their predecessor, as far as they share a partition with it."""
    keys = verifiable([SortKey.parse(text) for text in baseline.sort_keys])
    columns = by_position(variant)
    rows = renamed(variant).select(_text(columns).alias("text"), *key_columns(keys, columns))
    inside = Window.partitionBy(sf.expr(PARTITION)).orderBy("place")
    neighbours = rows.select(
        "place", "text", "keys", sf.lag("keys").over(inside).alias("before"), sf.lag("text").over(inside).alias("above")
    )
    wrong = neighbours.filter(sf.col("before").isNotNull()).filter(out_of_order(sf.col("before"), sf.col("keys"), keys))
    return tuple(f"{row['text']} comes after {row['above']}" for row in wrong.orderBy("place").head(SHOWN_ROWS))

"""What PostgreSQL's planner believes about the tables of a reference database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column; None where there are no statistics.

    ``distinct`` below 0 is a share of the rows (-1: all distinct), as in ``pg_stats``.
    """

    name: str
    type: str
    width_bytes: int | None
    null_fraction: float | None
    distinct: float | None
    quantiles: tuple[float, ...] = ()
    """Values of a numeric column that split its rows into equal parts, smallest and largest first and last; empty
    where the planner keeps no histogram."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table: estimated rows (None: never analysed), bytes on disk without and with indexes, columns in order."""

    schema: str
    name: str
    rows: int | None
    bytes: int
    total_bytes: int
    columns: tuple[ColumnFacts, ...]

    @property
    def row_width_bytes(self) -> int | None:
        """Estimated bytes of a row's values; None where a column has no statistics."""
        widths = [column.width_bytes for column in self.columns]
        return None if None in widths else sum(width for width in widths if width is not None)

"""A column and a table of the lake, from which Arrow's and Spark's schemas and ``docs/lake.md`` are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class ColumnType(StrEnum):
    """Types by their Spark SQL names."""

    STRING = "string"
    BIGINT = "bigint"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    """An instant: UTC, microseconds."""
    DATE = "date"
    BINARY = "binary"


_SPARK_JSON_NAMES = {ColumnType.BIGINT: "long"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``unit`` names the unit or the form of the value (``seconds``, ``bytes``, ``UTC``, ``JSON``)."""

    name: str
    type: ColumnType
    description: str
    unit: str = ""
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table. All tables have ``task_id``: a task's rows are replaced as one, which makes landing idempotent."""

    name: str
    description: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names) or "task_id" not in names:
            raise ValueError(f"table {self.name}: column names must be unique and include task_id")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """The schema in Arrow."""
        import pyarrow as pa

        types = {
            ColumnType.STRING: pa.string(),
            ColumnType.BIGINT: pa.int64(),
            ColumnType.DOUBLE: pa.float64(),
            ColumnType.BOOLEAN: pa.bool_(),
            ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
            ColumnType.DATE: pa.date32(),
            ColumnType.BINARY: pa.binary(),
        }
        return pa.schema([pa.field(column.name, types[column.type], column.nullable) for column in self.columns])

    def spark_json(self) -> dict[str, Any]:
        """The schema in Spark's JSON form; descriptions with units become the columns' comments.

        Every column is nullable there, so that a column may be added or relaxed later without rewriting a lake; that
        what must not be null is not, the landing checks before it writes.
        """
        return {
            "type": "struct",
            "fields": [
                {
                    "name": column.name,
                    "type": _SPARK_JSON_NAMES.get(column.type, column.type.value),
                    "nullable": True,
                    "metadata": {"comment": column.description + (f" [{column.unit}]" if column.unit else "")},
                }
                for column in self.columns
            ],
        }


def text(name: str, description: str, unit: str = "") -> Column:
    """A nullable text column."""
    return Column(name, ColumnType.STRING, description, unit)


def json_text(name: str, description: str) -> Column:
    """A nullable text column that holds canonical JSON."""
    return Column(name, ColumnType.STRING, description, "JSON")


def key(name: str, description: str, unit: str = "") -> Column:
    """A text column that is never null."""
    return Column(name, ColumnType.STRING, description, unit, nullable=False)


def integer(name: str, description: str, unit: str = "", *, nullable: bool = True) -> Column:
    """A 64-bit integer column."""
    return Column(name, ColumnType.BIGINT, description, unit, nullable)


def number(name: str, description: str, unit: str = "", *, nullable: bool = True) -> Column:
    """A 64-bit floating point column."""
    return Column(name, ColumnType.DOUBLE, description, unit, nullable)


def flag(name: str, description: str) -> Column:
    """A nullable boolean column."""
    return Column(name, ColumnType.BOOLEAN, description)


def instant(name: str, description: str) -> Column:
    """A nullable instant column."""
    return Column(name, ColumnType.TIMESTAMP, description, "UTC, microseconds")


TASK_ID = key("task_id", "Task that the row belongs to")
EXPERIMENT = key("experiment", "Experiment's name in the order")
SNIPPET = key("snippet", "Snippet's name in the experiment")
PARAMETERS = Column(
    "parameters", ColumnType.STRING, "Point of the parameter matrix, as an object with sorted keys", "JSON", False
)

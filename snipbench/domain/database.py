"""Reference databases as an order names them: dataset, settings, clone choice, limits."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from snipbench.domain.model import Model, Name, ScalarValue
from snipbench.domain.quantity import Bytes


class Tpch(Model):
    """TPC-H, all eight tables with keys and indexes."""

    generator: Literal["tpch"]
    scale: float = Field(gt=0, le=100)


class Pgbench(Model):
    """pgbench's four tables; ``scale`` in units of 100,000 accounts."""

    generator: Literal["pgbench"]
    scale: float = Field(gt=0, le=1000)


class SqlFile(Model):
    """A SQL script, relative to the order, that makes and fills the tables."""

    sql: str = Field(min_length=1)


class CsvFolder(Model):
    """A folder with one CSV file per table, header line first; types from ``schema.sql`` or inferred."""

    csv: str = Field(min_length=1)


class DataDirectory(Model):
    """An existing, cleanly shut down PostgreSQL data directory."""

    data_directory: str = Field(min_length=1)


TABLES_OF_GENERATOR = {
    "tpch": ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"),
    "pgbench": ("pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers"),
}
"""The tables that each generator makes."""

_BY_GENERATOR = {"tpch": "<Tpch>", "pgbench": "<Pgbench>"}
_BY_KEY = {"sql": "<SqlFile>", "csv": "<CsvFolder>", "data_directory": "<DataDirectory>"}


def _dataset_form(value: Any) -> str | None:
    """Which form a dataset has, by its keys, so that a mistake in it is told once and not per form."""
    if not isinstance(value, dict):
        return f"<{type(value).__name__}>" if isinstance(value, Model) else None
    if "generator" in value:
        generator = value["generator"]
        return _BY_GENERATOR.get(generator) if isinstance(generator, str) else None
    return next((form for key, form in _BY_KEY.items() if key in value), None)


Dataset = Annotated[
    Annotated[Tpch, Tag("<Tpch>")]
    | Annotated[Pgbench, Tag("<Pgbench>")]
    | Annotated[SqlFile, Tag("<SqlFile>")]
    | Annotated[CsvFolder, Tag("<CsvFolder>")]
    | Annotated[DataDirectory, Tag("<DataDirectory>")],
    Discriminator(
        _dataset_form,
        custom_error_type="dataset",
        custom_error_message="a dataset is one of: {generator: tpch, scale}, {generator: pgbench, scale}, "
        "{sql: file.sql}, {csv: folder}, {data_directory: path}",
    ),
]


class CloneChoice(StrEnum):
    """How a prototype is cloned."""

    AUTO = "auto"
    REFLINK = "reflink"
    OVERLAY = "overlay"
    COPY = "copy"


class Limits(Model):
    """Limits of a reference database's container; embedded mode reports them as ignored."""

    cpus: float | None = Field(default=None, gt=0, le=4096)
    memory_bytes: Bytes | None = Field(default=None, alias="memory", ge=2**20)


class DatabaseBody(Model):
    """What stands under a database's name in the file."""

    image: str = "postgres:16"
    dataset: Dataset
    settings: dict[str, ScalarValue] = Field(default_factory=dict)
    clone: CloneChoice = CloneChoice.AUTO
    limits: Limits = Limits()


class Database(DatabaseBody):
    """A reference database."""

    name: Name

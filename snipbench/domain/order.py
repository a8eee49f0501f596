"""An order: one submitted configuration file, as immutable typed models (design, section 5).

The models say what is well-formed. What needs the file (line numbers, snippet files) or the machine is in
``orchestrator.orders``: the file's own shape derives from the bases here (``…Keys``, ``DatabaseBody``), and its
reader turns pydantic's errors into mistakes with file, line and column.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from snipbench.domain.analysis import Analysis, Classify, Optimize
from snipbench.domain.database import (
    CloneChoice,
    CsvFolder,
    Database,
    DataDirectory,
    Dataset,
    Limits,
    Pgbench,
    SqlFile,
    Tpch,
)
from snipbench.domain.model import Identifier, Model, Name, Scalar, ScalarValue
from snipbench.domain.quantity import Fraction, Seconds

__all__ = [
    "UDF_KINDS",
    "Analysis",
    "AutoRepetitions",
    "Classify",
    "CloneChoice",
    "CsvFolder",
    "DataDirectory",
    "Database",
    "Dataset",
    "Experiment",
    "Identifier",
    "Kind",
    "Limits",
    "Model",
    "Monitor",
    "Name",
    "Optimize",
    "Order",
    "Pgbench",
    "Role",
    "Scalar",
    "Schedule",
    "Snippet",
    "Spark",
    "SqlFile",
    "Table",
    "Tpch",
]


class Schedule(StrEnum):
    """In which order runs are made (design, rule 1)."""

    RANDOMIZED = "randomized"
    INTERLEAVED = "interleaved"
    SEQUENTIAL = "sequential"


class Kind(StrEnum):
    """What a snippet is."""

    SQL = "sql"
    DATAFRAME = "dataframe"
    PYTHON_UDF = "python_udf"
    ARROW_PYTHON_UDF = "arrow_python_udf"
    PANDAS_UDF = "pandas_udf"
    ARROW_UDF = "arrow_udf"
    FUNCTION = "function"
    BARRIER = "barrier"
    STREAMING = "streaming"

    @property
    def is_udf(self) -> bool:
        """Whether the snippet's code becomes a Spark UDF over the rows of ``input``."""
        return self in UDF_KINDS


UDF_KINDS = frozenset({Kind.PYTHON_UDF, Kind.ARROW_PYTHON_UDF, Kind.PANDAS_UDF, Kind.ARROW_UDF})


class Role(StrEnum):
    """Why a snippet is in an experiment."""

    BASELINE = "baseline"
    VARIANT = "variant"
    FLOOR = "floor"
    """The platform's own input-only run, which shows what a UDF's input alone costs."""


class Spark(Model):
    """Spark settings of the order's sessions."""

    master: str = Field(default="local[*]", min_length=1)
    conf: dict[str, ScalarValue] = Field(default_factory=dict)


class Monitor(Model):
    """How resource use is streamed."""

    interval_seconds: Seconds = Field(default=1.0, alias="interval", ge=0.02, le=60)
    source: Literal["auto", "docker", "cgroup", "process"] = "auto"
    pairs: int = Field(default=0, ge=0, le=1000)
    """So many pairs of a watched and an unwatched run after each experiment, to tell what watching costs."""


class Table(Model):
    """A table that becomes a temporary view over JDBC."""

    name: Identifier
    partition_column: Identifier | None = None
    partitions: int = Field(default=1, ge=1, le=1024)
    fetch_size: int = Field(default=10_000, ge=1)


class AutoRepetitions(Model):
    """Repeat until the interval of the median is narrow enough."""

    auto: Literal[True]
    interval: Fraction = Field(default=0.05, gt=0, lt=1)
    cap: int = Field(default=40, ge=2, le=1000)


Warmups = Annotated[
    Annotated[Annotated[int, Field(ge=0, le=1000)], Tag("<number>")] | Annotated[Literal["auto"], Tag("<word>")],
    Discriminator(lambda value: "<word>" if isinstance(value, str) else "<number>"),
]
"""A count, or ``auto``."""


def _repetitions_form(value: Any) -> str:
    return "<AutoRepetitions>" if isinstance(value, dict | AutoRepetitions) else "<number>"


Repetitions = Annotated[
    Annotated[Annotated[int, Field(ge=1, le=10_000)], Tag("<number>")]
    | Annotated[AutoRepetitions, Tag("<AutoRepetitions>")],
    Discriminator(_repetitions_form),
]
"""A count, or ``{auto: true, interval: 5%, cap: 40}``."""


class SnippetKeys(Model):
    """What a snippet has in the file and as resolved alike."""

    kind: Kind
    file: str | None = Field(default=None, min_length=1)
    entry: Identifier = "run"
    variant_of: str | None = None
    input: str | None = Field(default=None, min_length=1)
    returns: str | None = Field(default=None, min_length=1)
    allow_all_null: bool = False
    tags: tuple[str, ...] = ()
    tasks: int | None = Field(default=None, ge=1)
    rows_per_batch: int | None = Field(default=None, ge=1)
    trigger: Literal["microbatch", "continuous"] | None = None


class Snippet(SnippetKeys):
    """Code under test, complete: what a variant inherits is filled in, what stood in a file is in ``code``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,126}$")]
    """As in the file; the platform's own floor snippets are called ``<snippet>.input``."""
    code: str
    role: Role = Role.BASELINE
    template: str

    @property
    def baseline(self) -> str:
        """Name of the snippet this one is compared with; its own for a baseline."""
        return self.variant_of or self.name


class ExperimentKeys(Model):
    """What an experiment has in the file and as resolved alike."""

    name: Name
    database: str
    source: Literal["jdbc", "cached"] = "jdbc"
    warmups: Warmups = 2
    repetitions: Repetitions = 10
    timeout_seconds: Seconds = Field(default=60.0, alias="timeout", gt=0, le=86_400)


class Experiment(ExperimentKeys):
    """Snippets x parameters on one reference database. ``parameters`` holds each parameter's list of values."""

    tables: tuple[Table, ...]
    parameters: dict[str, tuple[ScalarValue, ...]] = Field(default_factory=dict)
    snippets: tuple[Snippet, ...]

    def snippet(self, name: str) -> Snippet:
        """The snippet of that name; KeyError if there is none."""
        return {snippet.name: snippet for snippet in self.snippets}[name]


class OrderKeys(Model):
    """What an order has in the file and as resolved alike."""

    name: Name
    description: str = ""
    tags: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0, lt=2**63)
    schedule: Schedule = Schedule.RANDOMIZED
    sessions: int = Field(default=1, ge=1, le=100)
    calibrate: bool = False
    float_tolerance: float = Field(default=1e-9, ge=0, lt=1)
    profile: bool = False
    spark: Spark = Spark()
    monitor: Monitor = Monitor()


class Order(OrderKeys):
    """One submitted configuration file."""

    databases: tuple[Database, ...]
    experiments: tuple[Experiment, ...]
    analyses: tuple[Analysis, ...] = ()

    def database(self, name: str) -> Database:
        """The database of that name; KeyError if there is none."""
        return {database.name: database for database in self.databases}[name]

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name; KeyError if there is none."""
        return {experiment.name: experiment for experiment in self.experiments}[name]

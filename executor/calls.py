"""What the leader asks of an executor, and what it gets to know, as immutable types."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from snipbench.domain.order import Snippet, Table
from snipbench.domain.plan import Parameters
from snipbench.domain.run import Failure


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """How a Spark session is started.

    ``jars`` are files, never coordinates: a start resolves nothing. ``memory_cap_bytes`` caps the whole process tree
    (``None``: no cap). Spark's scratch space goes below ``work_directory``, its log below ``log_directory``.
    """

    master: str
    conf: tuple[tuple[str, str], ...]
    jars: tuple[Path, ...]
    memory_cap_bytes: int | None
    work_directory: Path
    log_directory: Path
    self_test: bool = True
    """Whether Spark proves at the start that its parts fit together; it need not where a session of the task has."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """One life of the Spark process. ``conf`` holds every Spark setting that was given or pinned, sorted by key."""

    session_id: str
    pid: int
    spark_version: str
    conf: tuple[tuple[str, str], ...]
    start_seconds: float
    python_version: str
    java_version: str
    scala_version: str = ""
    slots: int = 1
    """Tasks that can run at once (``defaultParallelism``)."""
    executors: int | None = None
    """Of Spark, on the machines of a cluster; ``None`` where there is no cluster."""


@dataclass(frozen=True, slots=True)
class PrepareRequest:
    """Connect to a reference database and make its tables temporary views.

    ``statement_timeout_seconds`` is PostgreSQL's own limit on a statement, a backstop behind the run's time-out.
    """

    experiment: str
    jdbc_url: str
    user: str
    password: str = field(repr=False)
    application_name: str
    tables: tuple[Table, ...]
    source: Literal["jdbc", "cached"] = "jdbc"
    statement_timeout_seconds: float | None = None

    def to_wire(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"tables": [table.model_dump(mode="json") for table in self.tables]}

    @classmethod
    def from_wire(cls, body: dict[str, Any]) -> PrepareRequest:
        """Inverse of :meth:`to_wire`."""
        return cls(**(body | {"tables": tuple(Table.model_validate(table) for table in body["tables"])}))


@dataclass(frozen=True, slots=True)
class PreparedFacts:
    """Views that are there now; ``created`` names those that this request had to make."""

    views: tuple[str, ...]
    schemas: tuple[tuple[str, str], ...]
    """``(view, Spark DDL of its columns)``."""
    created: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class SnippetCall:
    """A snippet at one point of its parameters."""

    snippet: Snippet
    parameters: Parameters = ()

    def to_wire(self) -> dict[str, Any]:
        """Plain values."""
        return {"snippet": self.snippet.model_dump(mode="json"), "parameters": [list(pair) for pair in self.parameters]}

    @classmethod
    def from_wire(cls, body: dict[str, Any]) -> SnippetCall:
        """Inverse of :meth:`to_wire`."""
        return cls(
            snippet=Snippet.model_validate(body["snippet"]),
            parameters=tuple((name, value) for name, value in body["parameters"]),
        )


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """Where the calls of one profile pass go.

    ``folder`` is one for :func:`snipbench.profiling.directory.read_pieces`. ``max_bytes`` bounds what each process
    writes there; calls beyond it are counted, by function.
    """

    folder: Path
    task_id: str
    slot_id: str
    max_bytes: int

    def to_wire(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"folder": str(self.folder)}


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """How a profile pass ended. ``seconds`` is its execution alone, profiling included; ``None`` if it failed."""

    seconds: float | None
    lost_calls: int
    """Calls that could not be written, by the session's own process or by a worker that told so."""
    failure: Failure | None = None

"""The reference database provider's contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from snipbench.domain.order import Database
from snipbench.resources.port import Target


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a server over TCP."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)

    @property
    def jdbc_url(self) -> str:
        """URL without credentials."""
        return f"jdbc:postgresql://{self.host}:{self.port}/{self.database}"

    @property
    def parameters(self) -> dict[str, Any]:
        """Keyword arguments for ``psycopg.connect``, the password among them."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
        }


@dataclass(frozen=True, slots=True)
class Prototype:
    """A prepared, cleanly shut down, read-only data directory with a manifest."""

    prototype_key: str
    dataset_hash: str
    directory: Path
    manifest_hash: str
    server_version: str
    bytes: int
    built: bool
    """Whether this call built it (False: found)."""
    dataset: str = ""
    """What it holds, for people: ``tpch scale=0.01``."""
    database: str = "snipbench"
    """Name of the database inside the cluster that snippets see."""
    table_bytes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each table with its indexes and TOAST; empty where the prototype was built before they were kept."""


@dataclass(frozen=True, slots=True)
class ReferenceDatabase:
    """A clone that is being served. ``ignored`` names keys of the order that this provider cannot honour."""

    clone_id: str
    prototype: Prototype
    strategy: str
    strategy_reason: str
    run: Connection
    """For snippets: a role that is no superuser and can only read."""
    admin: Connection
    """For the platform: cancelling statements, reading statistics."""
    target: Target
    server_version: str
    settings: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    clone_seconds: float
    start_seconds: float
    touch_seconds: float | None = None
    """Reading tables for the first time, so that no measured run pays for how the clone was made; None: no need."""
    image: str | None = None
    """Name and id of the server's image; None without Docker."""


class DatabaseProvider(Protocol):
    """Port; one contract suite runs against every implementation."""

    def dataset_hash(self, database: Database, base: Path) -> str:
        """Hash of what the dataset would contain; files are relative to ``base``. No side effects."""
        ...

    def prepare(self, database: Database, base: Path, *, owner: str | None = None) -> Prototype:
        """The prototype, built if it is not there. An interrupted build leaves nothing.

        ``owner`` is the task that it is for; a provider that looks the database up in the task's order needs it.
        """
        ...

    def clone(
        self, prototype: Prototype, database: Database, *, owner: str, tables: Sequence[str] | None = None
    ) -> ReferenceDatabase:
        """A fresh clone, served and ready.

        Args:
            prototype: what to clone.
            database: settings, limits, clone strategy.
            owner: a task id: who answers for it.
            tables: what will be read of it; None where that is not known.
        """
        ...

    def find(self, clone_id: str) -> ReferenceDatabase:
        """A clone that is being served, made by this process or another one that shares the provider's place.

        It stays its maker's: whoever found it releases nothing.

        Raises:
            DatabaseError: there is no such clone (any more).
        """
        ...

    def clones(self) -> Mapping[str, str]:
        """The owner of every clone that is served, by the clone's id."""
        ...

    def release(self, clone_id: str) -> None:
        """Stop the server and remove the clone; releasing twice is no error."""
        ...

    def reap(self) -> Sequence[str]:
        """Remove clones whose owner process is dead and unfinished builds; returns what was removed."""
        ...

    def prototypes(self) -> Sequence[Prototype]:
        """All prototypes that are there."""
        ...

    def verify(self, prototype: Prototype) -> Sequence[str]:
        """Differences between the files and the manifest; empty if there are none."""
        ...

    def remove(self, prototype: Prototype) -> None:
        """Remove a prototype. DatabaseError while a clone of it is served."""
        ...

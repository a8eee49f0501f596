"""What a leader works with: the adapters of one mode, chosen once in ``orchestrator.wiring``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from executor.calls import SessionSpec
from executor.engine import Engine
from executor.machine_lock import MachineLock
from orchestrator.databases.port import Connection, DatabaseProvider
from orchestrator.leading.progress import Progress
from orchestrator.proving.port import Sandboxing
from snipbench.clock import Clock
from snipbench.resources.port import CounterSource
from snipbench.store.port import DocumentStore

if TYPE_CHECKING:
    from orchestrator.leading.roles import Roles  # which knows parts


@dataclass(frozen=True, slots=True)
class Home:
    """Folders under ``--home``."""

    root: Path

    @property
    def store(self) -> Path:
        """The SQLite file of the embedded store."""
        return self.root / "store.sqlite"

    @property
    def lake(self) -> Path:
        """The Delta tables."""
        return self.root / "lake"

    @property
    def reports(self) -> Path:
        """One HTML file per task."""
        return self.root / "reports"

    @property
    def models(self) -> Path:
        """Trained models and the tables that they were trained on."""
        return self.root / "models"

    @property
    def orders(self) -> Path:
        """A folder per submitted order, with the files that came along with it."""
        return self.root / "orders"

    @property
    def profiles(self) -> Path:
        """Rows of ``function_calls`` until they are landed: a folder per task, a Parquet file per profiled point."""
        return self.root / "profiles"

    @property
    def spool(self) -> Path:
        """Samples that wait for a store that is away: a folder per monitor."""
        return self.root / "spool"

    @property
    def work(self) -> Path:
        """Scratch of Spark sessions."""
        return self.root / "work"

    @property
    def logs(self) -> Path:
        """Logs of child processes."""
        return self.root / "logs"


@dataclass(frozen=True, slots=True)
class Parts:
    """The adapters of one mode."""

    mode: str
    home: Home
    store: DocumentStore
    store_address: str
    """What :func:`snipbench.store.opening.open_store` takes, for another process."""
    clock: Clock
    databases: DatabaseProvider
    jars: tuple[Path, ...]
    progress: Progress
    roles: Roles
    """Who has the sessions, watches and analyses: this process, or workers."""
    counter_source: CounterSource
    new_engine: Callable[[SessionSpec], Engine]
    sandboxing: Sandboxing
    cancel_backends: Callable[[Connection, str], int]
    memory_cap_bytes: int | None
    result_grace_seconds: float
    """How much longer than its time-out a snippet's untimed pass may take: hashing a result takes longer than making
    it."""
    machine_lock: Path

    def measuring(self, what: str, on_poll: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        """One measured session at a time per machine; waiting is shown, and ends with what ``on_poll`` raises.

        ``what`` tells others who holds it.
        """

        def say(holder: str) -> None:
            self.progress.note(f"waiting for the machine: {holder}")

        return MachineLock(self.machine_lock, clock=self.clock).held(what, on_wait=say, on_poll=on_poll)

"""What a generator is, and what it is given to load with."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from orchestrator.databases.install import Install
from orchestrator.databases.port import Connection
from orchestrator.databases.processes import Stream, spawn
from snipbench.errors import DatabaseError

if TYPE_CHECKING:
    import psycopg

READ_BYTES = 1 << 20
Environment = dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Loading:
    """An empty database to fill; ``session`` is a superuser's, in autocommit mode, ``workspace`` for scratch files."""

    session: psycopg.Connection[Any]
    connection: Connection
    install: Install
    workspace: Path

    def copy_in(self, statement: str, source: IO[bytes]) -> None:
        """Stream bytes into one ``COPY … FROM STDIN`` statement."""
        with self.session.cursor().copy(statement.encode()) as copy:
            while block := source.read(READ_BYTES):
                copy.write(block)

    def run(
        self, command: Sequence[str | Path], *, stdin: Stream = subprocess.DEVNULL, environment: Environment = None
    ) -> None:
        """Run a program in the workspace.

        Raises:
            ToolFailed: it fails.
        """
        with tempfile.TemporaryFile() as complaints:
            process = spawn(command, directory=self.workspace, stdin=stdin, stderr=complaints, environment=environment)
            try:
                process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if process.returncode != 0:
                complaints.seek(0)
                raise ToolFailed(Path(command[0]).name, complaints.read().decode(errors="replace").strip())


class ToolFailed(DatabaseError):
    """A program that loads data failed; ``words`` is what it wrote to standard error."""

    def __init__(self, program: str, words: str) -> None:
        self.words = words
        super().__init__(f"{program} failed: {words}")


class Generator(Protocol):
    """Makes the content of a reference database. Making one has no side effects."""

    @property
    def name(self) -> str:
        """The kind of dataset."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever the same parameters would give other content."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """Everything the content depends on beside name and version: parameters, file contents.

        Raises:
            DatasetError: a file is missing or cannot be used.
        """
        ...

    def summary(self) -> str:
        """Parameters in a few words, for people."""
        ...

    def expected_bytes(self) -> int:
        """About how much disk space the loaded database takes."""
        ...

    def load(self, loading: Loading) -> None:
        """Create and fill tables, keys and indexes.

        Raises:
            DatabaseError: the content cannot be loaded.
        """
        ...

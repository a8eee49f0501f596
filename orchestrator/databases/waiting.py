"""Waiting until a server is ready: small checks, tried in turn until each has passed once."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.databases.port import Connection
from snipbench.clock import Clock
from snipbench.errors import DatabaseError

LOG_TAIL_BYTES = 4096


class Readiness(Protocol):
    """One condition of readiness."""

    def missing(self) -> str | None:
        """None once it is met, otherwise what is missing.

        Raises:
            DatabaseError: it can never be met any more.
        """
        ...


class Life(Protocol):
    """Whatever runs the server that is waited for."""

    def ended(self) -> str | None:
        """None while it runs, else how it ended: ``exit code 1``."""
        ...

    def words(self) -> str:
        """The end of the server's log."""
        ...


@dataclass(frozen=True, slots=True)
class ProcessLife:
    """A process of this machine and the file it logs to."""

    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> str | None:
        code = self.process.poll()
        return None if code is None else f"exit code {code}"

    def words(self) -> str:
        return log_tail(self.log)


@dataclass(frozen=True, slots=True)
class PostmasterSaysReady:
    """The server's own status line in ``postmaster.pid``: recovery is over and it listens."""

    directory: Path

    def missing(self) -> str | None:
        try:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return "the server has not written postmaster.pid"
        status = lines[7].strip() if len(lines) > 7 else "starting"
        return None if status == "ready" else f"the server says {status!r}"


@dataclass(frozen=True, slots=True)
class AnswersQuery:
    """A client can log in and gets an answer."""

    connection: Connection

    def missing(self) -> str | None:
        import psycopg

        try:
            with psycopg.connect(**self.connection.parameters, connect_timeout=5) as session:
                session.execute("SELECT 1")
        except psycopg.OperationalError as error:
            return str(error).strip()
        return None


def wait_until_ready(
    conditions: Sequence[Readiness],
    life: Life,
    clock: Clock,
    *,
    timeout_seconds: float = 60.0,
    poll_seconds: float = 0.01,
) -> None:
    """Return once every condition has been met, in their order.

    Raises:
        DatabaseError: the server ended or time is up; carries the end of the server's log.
    """
    deadline = clock.monotonic() + timeout_seconds
    for condition in conditions:
        while (missing := condition.missing()) is not None:
            if (how := life.ended()) is not None:
                raise DatabaseError(f"PostgreSQL ended with {how}:\n{life.words()}")
            if clock.monotonic() > deadline:
                raise DatabaseError(
                    f"PostgreSQL was not ready after {timeout_seconds:.0f} s: {missing}\n{life.words()}"
                )
            clock.sleep(poll_seconds)


def log_tail(log: Path, limit: int = LOG_TAIL_BYTES) -> str:
    """The end of a server's log, at most ``limit`` bytes."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - limit))
            return stream.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return "(the server left no log)"

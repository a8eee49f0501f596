"""A SQL script, executed by ``psql``: plain statements, or a dump with its ``COPY … FROM stdin`` blocks.

``psql``'s own commands (``\\i``, ``\\copy``, ``\\!`` …) are refused: what they read would be part of the content
without being part of its hash.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from orchestrator.databases.generators.base import Loading, ToolFailed
from orchestrator.databases.generators.contents import file_hash
from snipbench.errors import DatasetError

DUMP_GUARD = re.compile(rb"^\\(un)?restrict [A-Za-z0-9]+\s*$")
"""Lines that pg_dump writes around a dump for the very purpose that we guard it for; ours takes their place."""
OUTSIDE_A_TRANSACTION = "DISCARD ALL"
"""A statement that PostgreSQL refuses within a transaction, and that changes nothing after the last one."""
BEGINS = re.compile(r"\s*(?:begin|start\s+transaction)\b[^;$']*;", re.IGNORECASE)
ENDS = re.compile(r"\s*(?:commit|end|rollback|abort)\b(?!\s*(?:to|prepared)\b)[^;$']*;", re.IGNORECASE)
"""Statements that begin or end a transaction, where they stand on a line of their own as in scripts and dumps."""


@dataclass(frozen=True, slots=True)
class SqlGenerator:
    """A script of the user's that makes and fills tables. It has to be self-contained."""

    path: Path
    name: str = "sql"
    version: int = 1

    def identity(self) -> Mapping[str, Any]:
        return {"sql": file_hash(self.path)}

    def summary(self) -> str:
        return self.path.name

    def expected_bytes(self) -> int:
        return 3 * self.path.stat().st_size

    def load(self, loading: Loading) -> None:
        run_script(loading, self.path)


def run_script(loading: Loading, path: Path) -> None:
    """Execute a script; stops at the first error.

    Raises:
        DatasetError: an error, with the script's name, line and PostgreSQL's words; or a transaction is left open,
            so that what was done in it would be gone.
    """
    connection = loading.connection
    command: list[str | Path] = [
        loading.install.program("psql"),
        *("--no-psqlrc", "--quiet", "--no-password", "-v", "ON_ERROR_STOP=1"),
        *("-h", connection.host, "-p", str(connection.port), "-U", connection.user, "-d", connection.database),
        *("-c", f"\\restrict {secrets.token_hex(16)}", "-f", "-", "-c", OUTSIDE_A_TRANSACTION),
    ]
    environment = {"PGPASSWORD": connection.password, "PGCLIENTENCODING": "UTF8"}
    with tempfile.TemporaryFile() as script:
        _without_guards(path, script)
        try:
            loading.run(command, stdin=script, environment=environment)
        except ToolFailed as error:
            if f"{OUTSIDE_A_TRANSACTION} cannot run" in error.words:
                raise DatasetError(_never_committed(path)) from error
            raise DatasetError(_located(error.words, path)) from error


def _without_guards(path: Path, script: IO[bytes]) -> None:
    """Copy the script; a guard line becomes an empty one, so that line numbers stay."""
    with path.open("rb") as source:
        for line in source:
            script.write(b"\n" if line.startswith(b"\\") and DUMP_GUARD.match(line) else line)
    script.seek(0)


def _never_committed(path: Path) -> str:
    """Where the transaction begins that is open at the script's end."""
    begun = None
    with path.open(encoding="utf-8", errors="replace") as script:
        for number, line in enumerate(script, start=1):
            if BEGINS.match(line):
                begun = begun or number
            elif ENDS.match(line):
                begun = None
    where = path.name if begun is None else f"{path.name}:{begun}"
    return f"the SQL script failed: {where}: the transaction that begins here is never committed: end it with COMMIT"


def _located(words: str, path: Path) -> str:
    """psql's complaint with the script's name in place of ``psql:<stdin>``."""
    errors = [line for line in words.splitlines() if "NOTICE:" not in line]
    message = "the SQL script failed: " + "\n".join(errors).replace("psql:<stdin>:", f"{path.name}:")
    if re.search(r'role "[^"]*" does not exist', message):
        message += "\nA dump names its owners: make it with pg_dump --no-owner --no-privileges"
    return message

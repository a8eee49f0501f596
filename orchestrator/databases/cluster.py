"""What builds and serves a data directory, whatever runs PostgreSQL's programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from orchestrator.databases.account import Account
from orchestrator.databases.install import Install
from orchestrator.databases.port import Connection

DATA = "data"
ADMIN = "snipbench_admin"

CONFIGURATION = """\
# Written by snipbench. What an order sets comes by the command line and wins over this file.
max_connections = 100
shared_buffers = 128MB
dynamic_shared_memory_type = posix
datestyle = 'iso, mdy'
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
lc_monetary = 'C'
lc_numeric = 'C'
lc_time = 'C'
default_text_search_config = 'pg_catalog.english'
"""


class Server(Protocol):
    """A running server; ``connection`` is the login it was started for."""

    @property
    def connection(self) -> Connection: ...

    def stop(self) -> None:
        """Fast shutdown; stopping twice is no error."""
        ...


class Cluster(Protocol):
    """A workspace with a data directory and the server's log; the server is named after the workspace."""

    @property
    def workspace(self) -> Path: ...

    @property
    def account(self) -> Account:
        """Whom the data directory belongs to."""
        ...

    @property
    def clients(self) -> Install:
        """Client programs (``psql``) of this machine."""
        ...

    @property
    def version(self) -> str:
        """The server's, like ``18.6``."""
        ...

    @property
    def directory(self) -> Path:
        """The data directory."""
        ...

    @property
    def log(self) -> Path:
        """What the server said."""
        ...

    def initialise(self) -> None:
        """Make an empty, configured cluster in the directory, which must not exist yet. DatabaseError if it fails."""
        ...

    def configure(self) -> None:
        """Give the cluster our configuration and rules of authentication, whatever it had."""
        ...

    def run_alone(self, statements: Sequence[str], database: str = "postgres") -> None:
        """Execute statements as superuser without a server. DatabaseError if one of them fails."""
        ...

    def control(self) -> dict[str, str]:
        """What ``pg_controldata`` tells, by label."""
        ...

    def serve(self, settings: Mapping[str, str], login: Connection, *, timeout_seconds: float = 60.0) -> Server:
        """Start the server and wait until ``login`` (its address is filled in) works. DatabaseError if it does not."""
        ...


class ServerKind(Protocol):
    """A version of PostgreSQL and what runs it."""

    @property
    def version(self) -> str: ...

    @property
    def key_parts(self) -> Sequence[Any]:
        """What a prototype depends on beside its dataset: major version, locale, the image's digest."""
        ...

    @property
    def sealed_writable(self) -> bool:
        """Whether a finished prototype keeps its owner's right to write (an overlay's lower layer needs it)."""
        ...

    def cluster(self, workspace: Path) -> Cluster:
        """The cluster of a workspace."""
        ...


def major(version: str) -> int:
    """The number that decides whether a data directory fits."""
    return int(version.split(".", maxsplit=1)[0])


def write_configuration(directory: Path, account: Account, authentication: str) -> None:
    """Replace the configuration files of a data directory."""
    files = {
        "postgresql.conf": CONFIGURATION,
        "postgresql.auto.conf": "",
        "pg_hba.conf": authentication,
        "pg_ident.conf": "",
    }
    for name, text in files.items():
        path = directory / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        account.own(path)


def locale_arguments(version: str, locale: str) -> tuple[str, ...]:
    """``initdb``'s way to sort by code point: PostgreSQL's own provider where it has one (17), else the C library's."""
    if major(version) >= 17:
        return ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", f"--builtin-locale={locale}")
    return ("--encoding=UTF8", f"--locale={locale}")

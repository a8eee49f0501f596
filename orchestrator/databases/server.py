"""One PostgreSQL cluster in a directory: made, configured, served on a loopback TCP port, stopped.

The programs run *in* the data directory and are told it is ``/proc/self/cwd``. So only we need to be able to reach it:
a home below root's closed directories serves as well as any other.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.databases.account import Account
from orchestrator.databases.install import Install
from orchestrator.databases.port import Connection
from orchestrator.databases.processes import end_processes_of, processes_of, spawn
from orchestrator.databases.waiting import AnswersQuery, PostmasterSaysReady, log_tail, wait_until_ready
from snipbench.clock import Clock
from snipbench.errors import DatabaseError

DATA = "data"
HERE = "/proc/self/cwd"
HOST = "127.0.0.1"
PORT_ATTEMPTS = 10
FAST_STOP_SECONDS = 30.0
LOCALE = "C.UTF-8"

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
AUTHENTICATION = "host all all 127.0.0.1/32 scram-sha-256\n"


def free_port() -> int:
    """A loopback port that nobody listens on now; somebody else may still be quicker."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Cluster:
    """A workspace with a data directory and the server's log; the server is named after the workspace."""

    install: Install
    account: Account
    workspace: Path
    clock: Clock
    find_port: Callable[[], int] = free_port

    @property
    def directory(self) -> Path:
        """The data directory."""
        return self.workspace / DATA

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.workspace / "server.log"

    def initialise(self) -> None:
        """Make an empty cluster in the directory, which must not exist yet.

        The locale is PostgreSQL's own C.UTF-8: sorting does not depend on the machine's C library.
        """
        self.directory.mkdir(mode=0o700)
        self.account.own(self.directory)
        self._run(
            "initdb",
            *("-D", HERE, "-U", "snipbench_admin", "--auth=reject", "--no-sync", "--no-instructions"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", f"--builtin-locale={LOCALE}"),
        )
        self.configure()

    def configure(self) -> None:
        """Give the cluster our configuration and rules of authentication, whatever it had."""
        files = {
            "postgresql.conf": CONFIGURATION,
            "postgresql.auto.conf": "",
            "pg_hba.conf": AUTHENTICATION,
            "pg_ident.conf": "",
        }
        for name, text in files.items():
            path = self.directory / name
            path.unlink(missing_ok=True)
            path.write_text(text)
            path.chmod(0o600)
            self.account.own(path)

    def run_alone(self, statements: Sequence[str], database: str = "postgres") -> None:
        """Execute statements, one line each, as superuser without a server or a password.

        Raises:
            DatabaseError: one of them failed.
        """
        text = "".join(f"{' '.join(statement.split())}\n" for statement in statements)
        arguments = ("--single", "-D", HERE, "-c", "log_min_error_statement=panic", database)
        output = self._run("postgres", *arguments, stdin=text)
        if failure := re.search(r"^.*\b(?:ERROR|FATAL|PANIC):.*$", output, re.MULTILINE):
            raise DatabaseError(f"PostgreSQL refused to prepare the cluster: {failure.group(0)}")

    def control(self) -> dict[str, str]:
        """What ``pg_controldata`` tells, by label."""
        output = self._run("pg_controldata", "-D", HERE)
        pairs = (line.partition(":") for line in output.splitlines())
        return {label.strip(): value.strip() for label, _, value in pairs}

    def serve(self, settings: Mapping[str, str], login: Connection, *, timeout_seconds: float = 60.0) -> Server:
        """Start the server on a free port and wait until ``login`` (its port is filled in) works.

        Raises:
            DatabaseError: it did not start, in PostgreSQL's words.
        """
        for attempt in range(1, PORT_ATTEMPTS + 1):
            port = self.find_port()
            self.log.unlink(missing_ok=True)
            options = {
                **settings,
                "cluster_name": self.workspace.name,
                "listen_addresses": HOST,
                "port": str(port),
                "unix_socket_directories": "",
            }
            arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
            with self.log.open("wb") as log:
                process = spawn(
                    [self.install.program("postgres"), "-D", HERE, *arguments],
                    directory=self.directory,
                    account=self.account,
                    death_signal=signal.SIGQUIT,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            connection = Connection(HOST, port, login.database, login.user, login.password)
            server = Server(self, process, connection)
            try:
                wait_until_ready(
                    (PostmasterSaysReady(self.directory), AnswersQuery(connection)),
                    process,
                    self.log,
                    self.clock,
                    timeout_seconds=timeout_seconds,
                )
            except DatabaseError as error:
                server.stop()
                if "Address already in use" in log_tail(self.log) and attempt < PORT_ATTEMPTS:
                    continue
                raise DatabaseError(_server_words(self.log) or str(error)) from error
            except BaseException:
                server.stop()
                raise
            return server
        raise AssertionError("unreachable")

    def _run(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        """Output of a program that ends by itself, standard error included."""
        with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
            source.write((stdin or "").encode())
            source.seek(0)
            process = spawn(
                [self.install.program(program), *arguments],
                directory=self.directory,
                account=self.account,
                death_signal=signal.SIGTERM,  # single-user PostgreSQL gives its shared memory back
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            process.wait()
            output.seek(0)
            text = output.read().decode(errors="replace")
        if process.returncode != 0:
            raise DatabaseError(f"PostgreSQL's {program} failed with exit code {process.returncode}:\n{text.strip()}")
        return text


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; ``connection`` is the login it was started for."""

    cluster: Cluster
    process: subprocess.Popen[bytes]
    connection: Connection

    @property
    def pid(self) -> int:
        """The postmaster's process id: the launcher became it."""
        return self.process.pid

    def stop(self) -> None:
        """Fast shutdown; where that takes too long, at once. Stopping twice is no error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(FAST_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                end_processes_of(self.cluster.workspace, self.cluster.clock)
                self.process.wait()
        if processes_of(self.cluster.workspace):
            end_processes_of(self.cluster.workspace, self.cluster.clock)


def _server_words(log: Path) -> str | None:
    """The reason PostgreSQL gave for not starting, with its detail and hint; None if it gave none."""
    kept = [
        match.group(1)
        for line in log_tail(log).splitlines()
        if (match := re.search(r"\b((?:FATAL|PANIC|ERROR|DETAIL|HINT):.*)$", line)) and "could not map" not in line
    ]
    return f"PostgreSQL does not start: {' '.join(kept)}" if kept else None

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
from orchestrator.databases.cluster import ADMIN, DATA, locale_arguments, major, write_configuration
from orchestrator.databases.install import Install
from orchestrator.databases.port import Connection
from orchestrator.databases.processes import end_processes_of, processes_of, signal_process, spawn
from orchestrator.databases.waiting import AnswersQuery, PostmasterSaysReady, ProcessLife, log_tail, wait_until_ready
from snipbench.clock import Clock
from snipbench.errors import DatabaseError

HERE = "/proc/self/cwd"
HOST = "127.0.0.1"
PORT_ATTEMPTS = 10
FAST_STOP_SECONDS = 30.0
RELEASE_STOP_SECONDS = 10.0
LOCALE = "C.UTF-8"

AUTHENTICATION = "host all all 127.0.0.1/32 scram-sha-256\n"


def free_port() -> int:
    """A loopback port that nobody listens on now; somebody else may still be quicker."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class LocalServers:
    """Implements :class:`orchestrator.databases.servers.Servers` and, for the wheel's PostgreSQL, ``ServerKind``."""

    install: Install
    account: Account
    clock: Clock

    @property
    def version(self) -> str:
        """The server's, like ``18.6``."""
        return self.install.version

    @property
    def key_parts(self) -> tuple[int | str, ...]:
        """See the port."""
        return (major(self.version), LOCALE, "embedded")

    @property
    def sealed_writable(self) -> bool:
        """Files are copied, never served in place."""
        return False

    def cluster(self, workspace: Path) -> LocalCluster:
        """See the port."""
        return LocalCluster(self.install, self.account, workspace, self.clock)

    def stop(self, workspace: Path) -> None:
        """Fast shutdown of the workspace's postmaster; at once where that takes too long."""
        working = processes_of(workspace)
        try:
            postmaster = int((workspace / DATA / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            postmaster = 0
        if postmaster in working:
            signal_process(postmaster, signal.SIGINT)
            deadline = self.clock.monotonic() + RELEASE_STOP_SECONDS
            while processes_of(workspace) and self.clock.monotonic() < deadline:
                self.clock.sleep(0.02)
        self.end(workspace)

    def end(self, workspace: Path) -> None:
        """Make every process of the workspace end."""
        end_processes_of(workspace, self.clock)


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A workspace with a data directory and the server's log; the server is named after the workspace."""

    install: Install
    account: Account
    workspace: Path
    clock: Clock
    find_port: Callable[[], int] = free_port

    @property
    def clients(self) -> Install:
        """Client programs: those of the same installation."""
        return self.install

    @property
    def version(self) -> str:
        """The server's, like ``18.6``."""
        return self.install.version

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
            *("-D", HERE, "-U", ADMIN, "--auth=reject", "--no-sync", "--no-instructions"),
            *locale_arguments(self.version, LOCALE),
        )
        self.configure()

    def configure(self) -> None:
        """Give the cluster our configuration and rules of authentication, whatever it had."""
        write_configuration(self.directory, self.account, AUTHENTICATION)

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

    def serve(self, settings: Mapping[str, str], login: Connection, *, timeout_seconds: float = 60.0) -> LocalServer:
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
            server = LocalServer(self, process, connection)
            try:
                wait_until_ready(
                    (PostmasterSaysReady(self.directory), AnswersQuery(connection)),
                    ProcessLife(process, self.log),
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
class LocalServer:
    """A running server; ``connection`` is the login it was started for."""

    cluster: LocalCluster
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

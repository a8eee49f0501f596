"""One PostgreSQL cluster in a directory of the host, worked on and served by containers of one image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.databases.account import Account
from orchestrator.databases.cluster import ADMIN, locale_arguments, major, write_configuration
from orchestrator.databases.cluster import DATA as DATA_FOLDER
from orchestrator.databases.docker.engine import translated
from orchestrator.databases.docker.images import Image
from orchestrator.databases.docker.programs import run_program
from orchestrator.databases.docker.template import DATA, HOST, PORT, STATEMENTS, Mounted, Template
from orchestrator.databases.install import Install
from orchestrator.databases.port import Connection
from orchestrator.databases.waiting import AnswersQuery, PostmasterSaysReady, wait_until_ready
from snipbench.clock import Clock
from snipbench.domain.order import Limits
from snipbench.errors import DatabaseError
from snipbench.resources.cgroup_path import cgroup_of
from snipbench.resources.port import Target

LOCALE = "C.UTF-8"
AUTHENTICATION = "host all all all scram-sha-256\n"
"""Who connects comes through Docker's network, from whatever address that has."""
FAST_STOP_SECONDS = 30
LOG_LINES = 60


@dataclass(frozen=True, slots=True)
class ContainerKind:
    """Implements :class:`orchestrator.databases.cluster.ServerKind` for one image."""

    client: Any
    image: Image
    template: Template
    clients: Install
    clock: Clock

    @property
    def version(self) -> str:
        """The server's, like ``16.4``."""
        return self.image.version

    @property
    def key_parts(self) -> tuple[int | str, ...]:
        """See the port. Before 17 the collation is the image's C library's."""
        provider = "builtin" if major(self.version) >= 17 else "libc"
        return (major(self.version), f"{provider}:{LOCALE}", self.image.image_id)

    @property
    def sealed_writable(self) -> bool:
        """An overlay shows its lower layer's modes, and PostgreSQL opens every file for writing."""
        return True

    def cluster(self, workspace: Path) -> ContainerCluster:
        """See the port."""
        return ContainerCluster(self, workspace, Mounted(workspace / DATA_FOLDER, DATA), workspace / DATA_FOLDER)


@dataclass(frozen=True, slots=True)
class ContainerCluster:
    """Implements :class:`orchestrator.databases.cluster.Cluster`.

    ``data`` is what containers see as the data directory; ``directory`` is where the host sees what they write there.
    """

    kind: ContainerKind
    workspace: Path
    data: Mounted
    directory: Path
    limits: Limits = field(default_factory=Limits)

    @property
    def account(self) -> Account:
        """Whom the data directory belongs to."""
        return self.kind.template.account

    @property
    def clients(self) -> Install:
        """Client programs of this machine."""
        return self.kind.clients

    @property
    def version(self) -> str:
        """The server's."""
        return self.kind.version

    @property
    def log(self) -> Path:
        """What the container said, once it was stopped."""
        return self.workspace / "server.log"

    def initialise(self) -> None:
        """See the port."""
        self.directory.mkdir(mode=0o700)
        self.account.own(self.directory)
        fixed = ("-D", DATA, "-U", ADMIN, "--auth=reject", "--no-sync", "--no-instructions")
        self._run("initdb", *fixed, *locale_arguments(self.version, LOCALE))
        self.configure()

    def configure(self) -> None:
        """See the port."""
        write_configuration(self.directory, self.account, AUTHENTICATION)

    def run_alone(self, statements: Sequence[str], database: str = "postgres") -> None:
        """See the port."""
        text = self.workspace / "statements"
        text.touch(mode=0o600)
        self.account.own(text)
        text.write_text("".join(f"{' '.join(statement.split())}\n" for statement in statements))
        try:
            output = self._program(
                "/bin/sh",
                [
                    *("-c", f'exec "$0" "$@" <{STATEMENTS}', self.kind.image.program("postgres")),
                    *("--single", "-D", DATA, "-c", "log_min_error_statement=panic", database),
                ],
                Mounted(text, STATEMENTS, read_only=True),
            )
        finally:
            text.unlink()
        if failure := re.search(r"^.*\b(?:ERROR|FATAL|PANIC):.*$", output, re.MULTILINE):
            raise DatabaseError(f"PostgreSQL refused to prepare the cluster: {failure.group(0)}")

    def control(self) -> dict[str, str]:
        """See the port."""
        output = self._run("pg_controldata", "-D", DATA)
        pairs = (line.partition(":") for line in output.splitlines())
        return {label.strip(): value.strip() for label, _, value in pairs}

    def serve(
        self, settings: Mapping[str, str], login: Connection, *, timeout_seconds: float = 60.0
    ) -> ContainerServer:
        """See the port. The container is the workspace's own: a second one finds its name taken."""
        options = {
            **settings,
            "cluster_name": self.workspace.name,
            "listen_addresses": "*",
            "port": str(PORT),
            "unix_socket_directories": "",
        }
        template = self.kind.template
        made = template.server(
            self.kind.image.image_id,
            self.kind.image.program("postgres"),
            ["-D", DATA, *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))],
            (self.data,),
            template.labels(self.workspace.name),
            name=self.workspace.name,
            health=(self.kind.image.program("pg_isready"), "-q", "-h", HOST),
            limits=self.limits,
        )
        with translated("the database's container cannot be started"):
            container = self.kind.client.containers.create(**made)
            server = ContainerServer(self, container, login)
            try:
                container.start()
                host, port = _address(container, template.network)
                connection = Connection(host, port, login.database, login.user, login.password)
                server = ContainerServer(self, container, connection)
                wait_until_ready(
                    (PostmasterSaysReady(self.directory), AnswersQuery(connection)),
                    ContainerLife(container),
                    self.kind.clock,
                    timeout_seconds=timeout_seconds,
                    poll_seconds=0.02,
                )
            except BaseException:
                container.remove(force=True, v=True)
                raise
        return server

    def _run(self, program: str, *arguments: str) -> str:
        return self._program(self.kind.image.program(program), arguments)

    def _program(self, program: str, arguments: Sequence[str], *mounts: Mounted) -> str:
        return run_program(
            self.kind.client,
            self.kind.template,
            self.kind.image.image_id,
            program,
            arguments,
            what=f"PostgreSQL of image {self.kind.image.name}",
            mounts=(self.data, *mounts),
            labels=self.kind.template.labels(self.workspace.name),
        )


@dataclass(frozen=True, slots=True)
class ContainerLife:
    """Implements :class:`orchestrator.databases.waiting.Life`."""

    container: Any

    def ended(self) -> str | None:
        self.container.reload()
        state = self.container.attrs["State"]
        if state["Status"] in ("created", "running", "paused", "restarting"):
            return None
        memory = " (out of memory: raise limits.memory)" if state.get("OOMKilled") else ""
        return f"exit code {state['ExitCode']}{memory}"

    def words(self) -> str:
        return str(self.container.logs(tail=LOG_LINES).decode(errors="replace").strip()) or "(the server left no log)"


@dataclass(frozen=True, slots=True)
class ContainerServer:
    """A running container; ``connection`` is the login it was started for."""

    cluster: ContainerCluster
    container: Any
    connection: Connection

    def target(self, name: str) -> Target:
        """What to watch. Without a process id where the engine's processes are not ours to see."""
        self.container.reload()
        identity = str(self.container.id)
        pid = int(self.container.attrs["State"]["Pid"])
        cgroup = cgroup_of(pid, identity)
        return Target(name, pid=pid if cgroup else None, container_id=identity, cgroup=cgroup)

    def stop(self) -> None:
        """Fast shutdown; keeps what the server said and removes the container. Twice is no error."""
        from docker.errors import NotFound

        with translated("the database's container cannot be stopped"):
            try:
                self.container.stop(timeout=FAST_STOP_SECONDS)
                self.cluster.log.write_bytes(self.container.logs(tail=LOG_LINES))
                self.container.remove(force=True, v=True)
            except NotFound:
                return


def _address(container: Any, network: str | None) -> tuple[str, int]:
    container.reload()
    settings = container.attrs["NetworkSettings"]
    if network is not None:
        return str(settings["Networks"][network]["IPAddress"]), PORT
    published = settings["Ports"].get(f"{PORT}/tcp")
    if not published:
        state = container.attrs["State"]
        words = container.logs(tail=LOG_LINES).decode(errors="replace").strip()
        raise DatabaseError(f"PostgreSQL ended with exit code {state['ExitCode']}:\n{words}")
    return HOST, int(published[0]["HostPort"])

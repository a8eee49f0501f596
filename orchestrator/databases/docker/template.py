"""The one template that every container is made from. No caller adds an option to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases.account import Account
from orchestrator.databases.docker.labels import labels
from snipbench.domain.order import Limits

DATA = "/snipbench/data"
STATEMENTS = "/snipbench/statements"
PORT = 5432
HOST = "127.0.0.1"
PROCESSES = 512
SHARED_MEMORY_BYTES = 1 << 30
"""Most that parallel queries may share; Docker's own 64 MB make hash joins fail. Counts against the memory limit."""
HEALTH_SECONDS = 600
"""Between two looks at a server's health. Each starts a process in the container, whose cost is being measured."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """Something a container sees at a path of its own: a file or directory of the host, or a volume."""

    source: Path | str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """What all containers of a home have in common.

    ``account`` is the user of the host that files belong to; ``passwd`` tells its name to the programs inside.
    ``host_root`` is where the engine's machine has ``root``. ``network`` is a network of containers to be reached in;
    None: over a loopback port of the host.
    """

    root: Path
    account: Account
    host_root: Path
    network: str | None = None

    def labels(self, workspace: str) -> dict[str, str]:
        """What marks everything that is made for a workspace."""
        return labels(self.host_root, workspace, self.network)

    def on_host(self, path: Path) -> Path:
        """The engine's name for something below ``root``."""
        return self.host_root / path.relative_to(self.root)

    @property
    def passwd(self) -> Path:
        """A file in the place of the image's ``/etc/passwd``: ``initdb`` wants its user to have a name."""
        return self.root / "passwd"

    def write(self) -> None:
        """Leave the file ``passwd``."""
        self.passwd.write_text(
            f"root:x:0:0:root:/:/bin/sh\npostgres:x:{self.account.uid}:{self.account.gid}:snipbench:{DATA}:/bin/sh\n"
        )
        self.passwd.chmod(0o644)

    def program(
        self,
        image_id: str,
        program: str,
        arguments: Sequence[str],
        mounts: Sequence[Mounted],
        marks: Mapping[str, str],
    ) -> dict[str, Any]:
        """Arguments of ``containers.create`` for a program that ends by itself and talks to nobody."""
        return self._common(image_id, program, arguments, mounts, marks) | {
            "network_mode": "none",
            "healthcheck": {"test": ["NONE"]},
        }

    def server(
        self,
        image_id: str,
        program: str,
        arguments: Sequence[str],
        mounts: Sequence[Mounted],
        marks: Mapping[str, str],
        *,
        name: str,
        health: Sequence[str],
        limits: Limits,
    ) -> dict[str, Any]:
        """Arguments of ``containers.create`` for a PostgreSQL server."""
        reach: dict[str, Any] = {"network": self.network} if self.network else {"ports": {f"{PORT}/tcp": (HOST, None)}}
        memory = {} if limits.memory_bytes is None else {"mem_limit": limits.memory_bytes}
        swap = {} if limits.memory_bytes is None else {"memswap_limit": limits.memory_bytes}
        cpus = {} if limits.cpus is None else {"nano_cpus": round(limits.cpus * 1e9)}
        return (
            self._common(image_id, program, arguments, mounts, marks)
            | reach
            | memory
            | swap
            | cpus
            | {
                "name": f"snipbench-{name}",
                "hostname": "database",
                "stop_signal": "SIGINT",
                "healthcheck": {"test": ["CMD", *health], "interval": HEALTH_SECONDS * 10**9, "retries": 1},
            }
        )

    def _common(
        self,
        image_id: str,
        program: str,
        arguments: Sequence[str],
        mounts: Sequence[Mounted],
        marks: Mapping[str, str],
    ) -> dict[str, Any]:
        return {
            "image": image_id,
            "entrypoint": [program],
            "command": list(arguments),
            "labels": dict(marks),
            "user": f"{self.account.uid}:{self.account.gid}",
            "working_dir": "/",
            "environment": {"LC_ALL": "C", "TZ": "UTC"},
            "mounts": [self._mount(each) for each in (*mounts, Mounted(self.passwd, "/etc/passwd", read_only=True))],
            "read_only": True,
            "tmpfs": {"/tmp": "size=64m,mode=1777"},
            "shm_size": SHARED_MEMORY_BYTES,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": PROCESSES,
            "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
            "restart_policy": {"Name": "no"},
        }

    def _mount(self, mounted: Mounted) -> Any:
        from docker.types import Mount

        volume = isinstance(mounted.source, str)
        source = mounted.source if isinstance(mounted.source, str) else str(self.on_host(mounted.source))
        return Mount(
            mounted.target,
            source,
            type="volume" if volume else "bind",
            read_only=mounted.read_only,
            **({"no_copy": True} if volume else {}),
        )

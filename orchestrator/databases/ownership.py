"""Who answers for a directory: a process, named so that a later one under the same id is not taken for it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

OWNER_FILE = "owner.json"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process of this machine. ``started_ticks`` counts clock ticks since boot (``/proc/PID/stat``, field 22)."""

    task: str
    pid: int
    started_ticks: int
    boot_id: str
    pid_namespace: str

    @staticmethod
    def this_process(task: str) -> Owner:
        """The record of the calling process."""
        pid = os.getpid()
        started = _started_ticks(pid)
        assert started is not None
        return Owner(task, pid, started, _boot_id(), _pid_namespace())

    @property
    def namespace(self) -> str:
        """Where process ids mean the same: a machine since it was started, and a container of it."""
        return f"{self.boot_id} {self.pid_namespace}"

    def alive(self) -> bool:
        """Whether that very process still runs. In doubt (another container's process ids) it does."""
        if self.boot_id != _boot_id():
            return False
        if self.pid_namespace != _pid_namespace():
            return True
        return _started_ticks(self.pid) == self.started_ticks

    def write(self, directory: Path) -> None:
        """Leave the record in a directory."""
        (directory / OWNER_FILE).write_text(json.dumps(asdict(self)))

    @staticmethod
    def read(directory: Path) -> Owner | None:
        """The record left in a directory; None where there is none or it was cut short."""
        try:
            return Owner(**json.loads((directory / OWNER_FILE).read_text()))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None


def _started_ticks(pid: int) -> int | None:
    """Start of a running process; None if there is none of that id or it is only waiting to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started = fields[0], int(fields[19])
    return None if state in ("Z", "X") else started


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())

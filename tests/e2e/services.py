"""Workers of each role as processes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.waiting import left

from .serving import process


def until(what: Callable[[], object], log: Path, seconds: float = 240) -> None:
    """Wait until it comes true; shows the end of the log where it does not."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, log.read_text()[-5000:]
        time.sleep(0.05)


class Services:
    """Workers of each role as processes; whoever was killed can be started again."""

    def __init__(self, stack: ExitStack, home: Path, directory: Path, variables: dict[str, str]) -> None:
        self._stack = stack
        self._home = home
        self._variables = variables
        self.log = directory / "workers.log"
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *roles: str) -> None:
        for role in roles:
            self.running[role] = self.another(role)

    def another(self, role: str) -> subprocess.Popen[bytes]:
        """One more of a role, which is not killed by its name."""
        return self._stack.enter_context(process(self.log, "serve", role, "--home", self._home, **self._variables))

    def kill(self, role: str) -> None:
        """SIGKILL; what it started must be gone as well."""
        killed = self.running[role]
        family = psutil.Process(killed.pid).children(recursive=True)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert left(family, 60) == []

    def session(self) -> list[psutil.Process]:
        """The executor's Spark session."""
        return [
            one for one in psutil.Process(self.running["executor"].pid).children(recursive=True) if "java" in one.name()
        ]

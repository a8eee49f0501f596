"""Real processes that do what a test tells them, in control groups of their own where that is wanted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress

from snipbench.resources.cgroup_path import UNIFIED, hierarchies
from snipbench.resources.port import Target

# Each line on standard input is a Python statement that the program runs and acknowledges.
OBEDIENT = """
import os, resource, signal, subprocess, sys, threading, time

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def forked(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid

def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)

for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


CONTROLLERS = {"cpuacct", "memory", "pids", UNIFIED}
ENTERING = 'for group in $MEMBERS; do echo $$ >"$group"; done; exec "$0" -c "$1"'
"""A shell that becomes Python inside of its groups, so that all of its memory counts."""


class Grouped:
    """A control group of its own, in each hierarchy of this machine that tells something."""

    def __init__(self) -> None:
        self.path = f"/snipbench-test-{uuid.uuid4().hex}"
        self.directories = [hierarchies()[name] / self.path[1:] for name in CONTROLLERS & hierarchies().keys()]
        for directory in self.directories:
            directory.mkdir()

    def remove(self) -> None:
        for directory in self.directories:
            while (directory / "cgroup.procs").read_text():  # ended processes leave when they are reaped
                time.sleep(0.01)
            directory.rmdir()


class Obedient:
    """A real process that does what it is told, a line at a time."""

    def __init__(self, group: Grouped | None = None) -> None:
        self.group = group
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", ENTERING, sys.executable, OBEDIENT],
            env=os.environ
            | {"MEMBERS": " ".join(f"{place}/cgroup.procs" for place in group.directories) if group else ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.do("pass")

    def do(self, statement: str) -> list[str]:
        """Run a statement; returns what it printed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        printed = []
        while (line := self.process.stdout.readline().strip()) != "done":
            assert line, f"{statement!r} ended the process"
            printed.append(line)
        return printed

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def target(self, name: str) -> Target:
        """What to watch of it."""
        return Target(name, pid=self.process.pid, cgroup=self.group.path if self.group else None)


class Processes:
    """Starts obedient processes as the source under test needs them; ends them all."""

    def __init__(self, *, grouped: bool) -> None:
        self.grouped = grouped
        self.started: list[Obedient] = []

    def start(self) -> Obedient:
        self.started.append(Obedient(Grouped() if self.grouped else None))
        return self.started[-1]

    def end(self) -> None:
        for process in self.started:
            process.end()
            if process.group:
                process.group.remove()

"""Starting programs that die with this process, and finding those that live in a directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

from orchestrator.databases.account import Account
from snipbench.clock import Clock

LAUNCHER = Path(__file__).with_name("launcher.py")
Stream = int | IO[Any]


def clean_environment() -> dict[str, str]:
    """What a server or tool gets to see: no ``PG*`` variable of the user's changes what it does."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


_spawning = Lock()


def _spawner(process_id: int) -> ThreadPoolExecutor:
    """The process's own, whichever of its threads asks first."""
    with _spawning:
        return _made_spawner(process_id)


@cache
def _made_spawner(process_id: int) -> ThreadPoolExecutor:
    """One thread per process that starts everything and never ends before it.

    The kernel sends the parent-death signal when the *thread* that forked ends: a server started from a short-lived
    worker thread would die with that thread.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"spawner-{process_id}")


def spawn(
    command: Sequence[str | Path],
    *,
    directory: Path,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.DEVNULL,
    stderr: Stream = subprocess.DEVNULL,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in ``directory``; it gets ``death_signal`` when this process ends, however that happens.

    It has a session of its own, so that Ctrl-C at the terminal reaches us and not the server. ``directory`` needs to be
    reachable by us only, not by ``account``.
    """
    uid, gid = (account.uid, account.gid) if account and account.lent else (-1, -1)
    prefix = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), str(uid), str(gid)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*prefix, *map(str, command)],
            cwd=directory,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=clean_environment() | (environment or {}),
            start_new_session=True,
        )

    return _spawner(os.getpid()).submit(start).result()


def processes_of(workspace: Path) -> tuple[int, ...]:
    """Ids of the processes that belong to a workspace: those that work inside it and the server named after it.

    Surer than a recorded id, which may be somebody else's by now. The name (PostgreSQL's ``cluster_name``, in the
    command line of the postmaster and the titles of its backends) finds them even where a container's root may not
    look into other accounts' processes.
    """
    root = os.path.realpath(workspace)
    option, title = f"cluster_name={workspace.name}".encode(), f"postgres: {workspace.name}:".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            if option in words.split(b"\0") or words.startswith(title) or _works_inside(entry, root):
                found.append(int(entry.name))
    return tuple(found)


def _works_inside(entry: Path, root: str) -> bool:
    try:
        working = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
    except PermissionError:
        return False
    return working == root or working.startswith(root + "/")


def end_processes_of(workspace: Path, clock: Clock, *, grace_seconds: float = 3.0) -> None:
    """Make every process of a workspace end: SIGQUIT (PostgreSQL's immediate shutdown), then SIGKILL."""
    for ending in (signal.SIGQUIT, signal.SIGKILL):
        remaining = _signal_all(workspace, ending)
        deadline = clock.monotonic() + grace_seconds
        while remaining and clock.monotonic() < deadline:
            clock.sleep(0.02)
            remaining = processes_of(workspace)
        if not remaining:
            return


def _signal_all(workspace: Path, ending: signal.Signals) -> tuple[int, ...]:
    found = processes_of(workspace)
    for process_id in found:
        signal_process(process_id, ending)
    return found


def signal_process(process_id: int, ending: signal.Signals) -> None:
    """Send a signal; a process that has ended already is no error."""
    with suppress(ProcessLookupError):
        os.kill(process_id, ending)

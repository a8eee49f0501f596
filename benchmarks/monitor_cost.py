"""What watching costs: CPU of the monitor's own process while it watches a tree of processes 20 times a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.result import Goal, Row
from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.sources import choose_source
from snipbench.resources.port import Target
from snipbench.store.sqlite import SqliteStore

HERTZ = 20
SECONDS = 6.0
PROCESSES = 12
"""Roughly a session (leader, JVM, daemon, workers) and a database server with its own processes."""
GOAL = Goal(at_most=2.0)

TREE = f"""
import os, time
for _ in range({PROCESSES} - 1):
    if os.fork() == 0:
        break
print("up", flush=True)
time.sleep(600)
"""


def run() -> Sequence[Row]:
    """Share of one core, with the store's inserts, against the same time without watching."""
    with TemporaryDirectory() as folder:
        tree = subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, start_new_session=True)
        try:
            for _ in range(PROCESSES):
                _ = tree.stdout.readline() if tree.stdout else b""
            idle = _idle()
            watching, samples = _watch(tree.pid, Path(folder))
        finally:
            os.killpg(tree.pid, signal.SIGKILL)
            tree.wait()
    return (
        Row(
            f"watching {PROCESSES} processes at {HERTZ} Hz",
            100 * (watching - idle) / SECONDS,
            "% of a core",
            GOAL,
            f"{samples} samples in {SECONDS:.0f} s, written to SQLite",
        ),
    )


def _watch(pid: int, folder: Path) -> tuple[float, int]:
    store, source = SqliteStore(folder / "store.sqlite"), choose_source("process", [])
    monitor = Monitor(
        store,
        source,
        [Target("tree", pid=pid)],
        StreamId("benchmark", "cost", "stream"),
        on_event=_tell,
        settings=MonitorSettings(interval_seconds=1 / HERTZ),
    )
    begun = time.process_time()
    monitor.start()
    time.sleep(SECONDS)
    summary = monitor.stop()
    used = time.process_time() - begun
    source.close()
    store.close()
    return used, summary.written


def _tell(kind: EventKind, target: str | None, message: str, at: str) -> None:
    print(f"{at} {target}: {kind}: {message}", file=sys.stderr)


def _idle() -> float:
    begun = time.process_time()
    time.sleep(SECONDS)
    return time.process_time() - begun

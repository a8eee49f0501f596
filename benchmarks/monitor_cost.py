"""What watching costs, 20 times a second: CPU of the monitor's own process while it watches a tree of processes that
sleep, and of its threads while it watches a session and a database at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.monitored import HERTZ, monitored
from benchmarks.result import Goal, Row
from benchmarks.spark_session import QUERY, place
from snipbench.resources.port import Target

SECONDS = 6.0
AT_WORK_SECONDS = 30.0
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
    """Shares of one core, with the store's inserts."""
    return (_sleeping(), _at_work())


def _sleeping() -> Row:
    """Against the same time without watching."""
    with TemporaryDirectory() as folder:
        tree = subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, start_new_session=True)
        try:
            for _ in range(PROCESSES):
                _ = tree.stdout.readline() if tree.stdout else b""
            idle = _idle()
            begun = time.process_time()
            with monitored([Target("tree", pid=tree.pid)], Path(folder) / "store.sqlite") as told:
                time.sleep(SECONDS)
            watching = time.process_time() - begun
        finally:
            os.killpg(tree.pid, signal.SIGKILL)
            tree.wait()
    return Row(
        f"watching {PROCESSES} processes at {HERTZ} Hz",
        100 * (watching - idle) / SECONDS,
        "% of a core",
        GOAL,
        f"{told[0].written} samples in {SECONDS:.0f} s, written to SQLite",
    )


def _at_work() -> Row:
    """While a query runs again and again."""
    with place() as where, where.session() as engine, TemporaryDirectory() as folder:
        targets = [engine.target, where.database.target]
        engine.run(QUERY, timeout_seconds=60, targets=targets)
        until = time.monotonic() + AT_WORK_SECONDS
        with monitored(targets, Path(folder) / "store.sqlite") as told:
            while time.monotonic() < until:
                engine.run(QUERY, timeout_seconds=60, targets=targets)
    (summary,) = told
    return Row(
        f"watching a session and its database at work at {HERTZ} Hz",
        100 * summary.cpu_seconds / summary.seconds,
        "% of a core",
        GOAL,
        f"{summary.written} samples in {summary.seconds:.0f} s; CPU of the monitor's threads, with starting and ending",
    )


def _idle() -> float:
    begun = time.process_time()
    time.sleep(SECONDS)
    return time.process_time() - begun

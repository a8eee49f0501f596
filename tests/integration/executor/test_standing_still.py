"""A tree of processes stopped: every thread of it, however long one must wait for a processor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from executor.process_tree import descendants, kill, pause, resume
from tests.waiting import until

STARVED = """
import hashlib, os, sys, threading, time

def hashed():
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
    print("up", flush=True)
    while True:
        hashlib.sha256(bytes(1_000_000)).digest()

if os.fork():
    os.wait()
os.sched_setaffinity(0, {int(sys.argv[1])})
threading.Thread(target=hashed).start()
time.sleep(60)
"""
"""A parent, and a child with a first thread that sleeps and a second one that computes, when it gets the processor."""

STARTING = """
import subprocess, threading

def start():
    while True:
        subprocess.run(["true"])

for _ in range(3):
    threading.Thread(target=start).start()
"""
"""A process with threads that are mostly within ``vfork``, each waiting for a child to begin another program."""

BUSY = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


@pytest.fixture
def parent() -> Iterator[int]:
    """Process whose child has a thread that hardly ever gets the processor."""
    core = str(max(os.sched_getaffinity(0)))
    with ExitStack() as stack:
        for code in (BUSY, STARVED):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", code, core], stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process.pid
        for pid in descendants(process.pid):
            os.kill(pid, 9)


def test_no_thread_runs_once_the_tree_stands_still(parent: int) -> None:
    states = []
    for _ in range(5):
        resume(parent)
        assert pause(parent, seconds=30.0)
        threads = [path for pid in descendants(parent) for path in Path(f"/proc/{pid}/task").iterdir()]
        states.append([(path / "stat").read_text().rpartition(")")[2].split()[0] for path in threads])
    assert states == [["T", "T"]] * 5


def test_a_tree_that_starts_programs_all_the_time_stands_still() -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STARTING!r}])"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            until(lambda: len(descendants(process.pid)) > 1)
            stood = []
            for _ in range(100):
                stood.append(pause(process.pid, seconds=30.0))
                resume(process.pid)
                time.sleep(0.01)
                if not all(stood):
                    break
        finally:
            kill(descendants(process.pid) | {process.pid})
    assert stood == [True] * 100

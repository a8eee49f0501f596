"""A tree of processes stopped: every thread of it, however long one must wait for a processor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from executor.process_tree import descendants, pause, resume

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

"""CPU seconds of a known burst, as the process-tree source reads them, against ``getrusage`` in the process itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from statistics import median

import psutil

from benchmarks.result import Goal, NotMeasured, Row
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource

BURST_SECONDS = 0.2
BURSTS = 15
GOAL = Goal(at_most=5.0)

# "here": in the process; "worker": in a child that lives on; "ended": in a child that is waited for. The answer is what
# getrusage tells: of the process, of the worker itself, of the children that were waited for.
CHILD = """
import os, resource, sys, time

def use(who):
    told = resource.getrusage(who)
    return told.ru_utime + told.ru_stime

def burn(seconds):
    before, end = use(resource.RUSAGE_SELF), time.process_time() + seconds
    while time.process_time() < end:
        pass
    return use(resource.RUSAGE_SELF) - before

orders, to_worker = os.pipe()
from_worker, answers = os.pipe()
if os.fork() == 0:
    while os.read(orders, 1):
        os.write(answers, str(burn(SECONDS)).encode())
for line in sys.stdin:
    if line == "here\\n":
        print(burn(SECONDS), flush=True)
    elif line == "worker\\n":
        os.write(to_worker, b"x")
        print(os.read(from_worker, 99).decode(), flush=True)
    else:
        before = use(resource.RUSAGE_CHILDREN)
        child = os.fork()
        if child == 0:
            burn(SECONDS)
            os._exit(0)
        os.waitpid(child, 0)
        print(use(resource.RUSAGE_CHILDREN) - before, flush=True)
"""


def run() -> Sequence[Row]:
    """The largest error of all bursts per kind, in percent; beside it psutil's, which reads ticks."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.replace("SECONDS", str(BURST_SECONDS))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    source = ProcessTreeSource()
    try:
        return [
            _row(child, source, kind, what, goal)
            for kind, what, goal in (
                ("here", "in the process", GOAL),
                ("worker", "in a worker of it", GOAL),
                # For information: an ended child's time is told by the kernel in ticks of 10 ms, two of them.
                ("ended", "in a child that ended", None),
            )
        ]
    finally:
        source.close()
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _row(child: subprocess.Popen[str], source: ProcessTreeSource, kind: str, what: str, goal: Goal | None) -> Row:
    target = Target("child", pid=child.pid)
    source.read(target)
    _burst(child, kind)
    ours, ticks = [], []
    for _ in range(BURSTS):
        ticks_before, before = _psutil_seconds(child.pid), source.read(target).cpu_seconds
        truth = _burst(child, kind)
        after, ticks_after = source.read(target).cpu_seconds, _psutil_seconds(child.pid)
        if before is None or after is None:
            msg = "the kernel does not tell CPU time here"
            raise NotMeasured(msg)
        ours.append(100 * abs((after - before) / truth - 1))
        ticks.append(100 * abs((ticks_after - ticks_before) / truth - 1))
    return Row(
        f"burst of {BURST_SECONDS * 1000:.0f} ms {what}, largest error against getrusage",
        max(ours),
        "%",
        goal,
        f"{BURSTS} bursts, median {median(ours):.2f} %; psutil's sum over the tree: largest {max(ticks):.1f} %",
    )


def _burst(child: subprocess.Popen[str], kind: str) -> float:
    if child.stdin is None or child.stdout is None:
        raise NotMeasured("the child has no pipes")
    child.stdin.write(kind + "\n")
    child.stdin.flush()
    return float(child.stdout.readline())


def _psutil_seconds(pid: int) -> float:
    root = psutil.Process(pid)
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)

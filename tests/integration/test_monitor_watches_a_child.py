"""A real burning child, watched at 20 Hz into a real store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.sources import choose_source
from snipbench.clock import from_text
from snipbench.resources.port import Target
from snipbench.store.sqlite import SqliteStore
from tests.breath import STALLS
from tests.waiting import until

CHILD = """
import os, resource, sys, time

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def watched():
    print("look", flush=True)
    sys.stdin.readline()

watched()
burn(0.5)
if os.fork() == 0:
    burn(0.4)
    watched()
    os._exit(0)
os.wait()
watched()
use = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(sum(one.ru_utime + one.ru_stime for one in use), flush=True)
sys.stdin.readline()
"""
"""Between its bursts it waits until it has been looked at: asleep, with a child, and asleep again."""
LOOKS = 4


def test_the_shape_and_the_sum_of_a_burning_childs_cpu_are_right(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    store, source = SqliteStore(tmp_path / "store.sqlite"), choose_source("process", [])
    events: list[tuple[EventKind, str | None]] = []
    monitor = Monitor(
        store,
        source,
        [Target("executor", pid=child.pid)],
        StreamId("task-1", "burn", "stream-1"),
        on_event=lambda kind, target, message, at: events.append((kind, target)),
        settings=MonitorSettings(interval_seconds=0.05, batch_age_seconds=0.1),
    )
    monitor.start()
    for _ in range(3):
        assert child.stdout.readline() == "look\n"
        seen = store.count("samples")
        until(lambda: store.count("samples") >= seen + LOOKS)  # noqa: B023 - called at once
        child.stdin.write("go on\n")
        child.stdin.flush()
    spent = float(child.stdout.readline())
    summary = monitor.stop()
    child.stdin.close()
    child.wait()
    source.close()

    samples = list(store.find("samples", {"task_id": "task-1"}, order_by=("sequence",)))
    assert len(samples) == summary.written == summary.read
    assert len(samples) >= 3 * LOOKS
    cpu = [sample["cpu_seconds"] for sample in samples]
    assert cpu == sorted(cpu)
    assert cpu[-1] == pytest.approx(spent, rel=0.05)
    assert max(sample["processes"] for sample in samples) == 2
    at = [from_text(sample["at"]).timestamp() for sample in samples]
    rates = [(c2 - c1) / (a2 - a1) for c1, c2, a1, a2 in zip(cpu, cpu[1:], at, at[1:], strict=False)]
    assert min(rates) < 0.1 < max(rates)
    assert not {kind for kind, _ in events} - STALLS


def test_a_child_that_is_killed_ends_its_stream_with_an_event_and_never_with_zeros(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    store, source = SqliteStore(tmp_path / "store.sqlite"), choose_source("auto", [])
    events: list[tuple[EventKind, str | None]] = []
    monitor = Monitor(
        store,
        source,
        [Target("executor", pid=child.pid)],
        StreamId("task-1", "burn", "stream-1"),
        on_event=lambda kind, target, message, at: events.append((kind, target)),
        settings=MonitorSettings(interval_seconds=0.05, batch_age_seconds=0.1),
    )
    monitor.start()
    until(lambda: store.count("samples") >= 4)
    child.kill()
    child.wait()
    summary = monitor.stop()
    source.close()
    assert (EventKind.TARGET_GONE, "executor") in events
    assert not {kind for kind, _ in events} - {EventKind.TARGET_GONE, *STALLS}
    assert "executor" in summary.ended
    cpu = [sample["cpu_seconds"] for sample in store.find("samples", order_by=("sequence",))]
    assert cpu == sorted(cpu)
    assert cpu[0] > 0

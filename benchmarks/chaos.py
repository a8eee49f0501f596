"""Small orders through five services while one of them after the other is killed; what was recorded, and how soon on.

A service that was killed is started again at once, as ``restart: unless-stopped`` does. Takes some ten minutes;
after ``SNIPBENCH_CHAOS_SECONDS`` nothing more is killed.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.result import Goal, Row
from benchmarks.served import Served, patiently
from snipbench.clock import SystemClock, from_text
from snipbench.store.port import DocumentStore

SEED = 7
ORDERS = 3
KILLS: dict[str, int] = {"leader": 9, "executor": 10, "session": 3, "monitor": 8, "redis": 6, "store": 6}
"""How often each is killed in all; ``session`` is the executor's child, of which a snippet survives one only."""
OTHERS: dict[str, int] = {"flush": 2, "suspended leader": 1, "suspended executor": 1}
"""Broker told to forget everything; a process stopped until another one is in its place, then woken up."""
MOST_RUNS_BETWEEN = 4
"""A kill comes after one to so many newly recorded runs."""
STUCK_SECONDS = 240.0
"""An order that records nothing for so long is stuck."""
ORDER = """\
name: chaos-{number}
seed: {number}
spark: {{master: "local[2]", conf: {{spark.sql.shuffle.partitions: 2}}}}
monitor: {{interval: 200ms}}
databases:
  shop: {{dataset: {{generator: tpch, scale: 0.005}}}}
experiments:
  - name: small
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 20
    snippets:
      - {{name: sums, kind: sql, code: select sum(o_totalprice) as total from orders}}
      - {{name: negated, kind: sql, variant_of: sums, code: select -sum(-o_totalprice) as total from orders}}
"""


@dataclass(frozen=True, slots=True)
class Blow:
    """What was done to whom, when, during which task."""

    what: str
    at: datetime
    task_id: str


def run() -> Sequence[Row]:
    """All orders, one after the other; then what the store says about them."""
    random_ = random.Random(SEED)
    deadline = time.monotonic() + float(os.environ.get("SNIPBENCH_CHAOS_SECONDS", "3600"))
    blows = [name for name, times in (KILLS | OTHERS).items() for _ in range(times)]
    random_.shuffle(blows)
    with TemporaryDirectory(prefix="snipbench-chaos-") as folder, ExitStack() as stack:
        served = Served(Path(folder), stack)
        store = served.store
        struck: list[Blow] = []
        stuck: list[str] = []
        tasks = []
        for number in range(ORDERS):
            if time.monotonic() > deadline:
                break
            task_id = served.submit(ORDER.format(number=number))
            tasks.append(task_id)
            for name in blows[number::ORDERS]:
                if time.monotonic() > deadline or not _progress(store, task_id, random_.randint(1, MOST_RUNS_BETWEEN)):
                    break
                struck.append(Blow(name, SystemClock().now(), task_id))
                _strike(served, name)
            if not _settled(store, task_id):
                stuck.append(task_id)
        clones = served.clones()
        stack.close()
        left = [*clones, *served.leftovers()]
        with ExitStack() as again, closing(served.reopened(again)) as store:
            return tuple(_rows(store, tasks, struck, stuck, left))


def _strike(served: Served, name: str) -> None:
    if name == "flush":
        served.flush()
    elif name == "session":
        served.kill_session()
    elif name.startswith("suspended "):
        served.suspend(name.removeprefix("suspended "))
    else:
        served.kill(name)


def _recorded(store: DocumentStore, task_id: str) -> int:
    """Runs and attempts; a cut block moves runs to the attempts, so that this never falls."""
    return sum(store.count(name, {"task_id": task_id}) for name in ("runs", "attempts"))


def _progress(store: DocumentStore, task_id: str, runs: int) -> bool:
    """Wait for so many new records; False when the task ends or gets stuck before."""
    before, deadline = patiently(lambda: _recorded(store, task_id)), time.monotonic() + STUCK_SECONDS
    while patiently(lambda: _recorded(store, task_id)) < before + runs:
        task = patiently(lambda: store.get("tasks", task_id)) or {}
        if task.get("ended_at") or time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _settled(store: DocumentStore, task_id: str) -> bool:
    """Wait for the task's end, as long as it gets on."""
    recorded, deadline = -1, 0.0
    while True:
        task = patiently(lambda: store.get("tasks", task_id)) or {}
        if task.get("settled"):
            return True
        now = patiently(lambda: _recorded(store, task_id) + store.count("events", {"task_id": task_id}))
        if now != recorded:
            recorded, deadline = now, time.monotonic() + STUCK_SECONDS
        elif time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def _rows(
    store: DocumentStore, tasks: Sequence[str], struck: Sequence[Blow], stuck: Sequence[str], left: Sequence[str]
) -> Iterator[Row]:
    kills = [blow for blow in struck if blow.what in KILLS]
    counts = Counter(blow.what for blow in struck)
    told = ", ".join(f"{times} {what}" for what, times in sorted(counts.items()))
    yield Row("processes killed", len(kills), "", Goal(at_least=40), told)
    planned = recorded = astray = 0
    for task_id in tasks:
        plan = (store.get("plans", task_id) or {"slots": []})["slots"]
        runs = Counter(run["slot_id"] for run in store.find("runs", {"task_id": task_id}))
        planned += len(plan)
        recorded += sum(runs[slot["slot_id"]] == 1 for slot in plan)
        astray += _astray(store, task_id)
    yield Row("slots not recorded exactly once", planned - recorded, "", Goal(at_most=0), f"of {planned}")
    yield Row("blocks across sessions", astray, "", Goal(at_most=0), "runs that were killed themselves left out")
    yield Row("orders stuck or given up", len(stuck) + _given_up(store, tasks), "", Goal(at_most=0), f"of {len(tasks)}")
    yield Row("clones and processes left", len(left), "", Goal(at_most=0), "; ".join(left))
    starts = {task_id: _starts(store, task_id) for task_id in tasks}
    waits = sorted(wait for blow in kills if (wait := _wait(blow, starts[blow.task_id])) is not None)
    if waits:
        rank = -(-95 * len(waits) // 100) - 1
        note = f"median {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s, {len(waits)} kills with a run after"
        yield Row("from kill to next run started, 95th percentile", waits[rank], "s", Goal(at_most=15.0), note)
    for what in OTHERS:
        others = [wait for b in struck if b.what == what and (wait := _wait(b, starts[b.task_id])) is not None]
        yield Row(f"{what}: to next run started, longest", max(others, default=None), "s", note=f"{len(others)} times")


def _astray(store: DocumentStore, task_id: str) -> int:
    """Blocks whose good runs are of more than one session."""
    sessions: dict[str, set[str]] = {}
    for run in store.find("runs", {"task_id": task_id}):
        if run["block"] is not None and run["status"] == "ok":
            sessions.setdefault(run["block"], set()).add(run["session_id"])
    return sum(len(found) > 1 for found in sessions.values())


def _given_up(store: DocumentStore, tasks: Sequence[str]) -> int:
    """Tasks that ended without all of their runs."""
    return sum((store.get("tasks", task_id) or {}).get("status") in {None, "failed", "running"} for task_id in tasks)


def _starts(store: DocumentStore, task_id: str) -> list[datetime]:
    """When its runs started, whatever became of them."""
    return sorted(
        from_text(run["started_at"]) for name in ("runs", "attempts") for run in store.find(name, {"task_id": task_id})
    )


def _wait(blow: Blow, starts: Sequence[datetime]) -> float | None:
    """Seconds until the next run of its task; None where there was none to make."""
    later = [start for start in starts if start > blow.at]
    return (later[0] - blow.at).total_seconds() if later else None

"""Small orders through services while one of them after the other is killed; what was recorded, and how soon on.

A service that was killed is started again at once, as ``restart: unless-stopped`` does. The last order's databases are
containers of an initializer, which is killed like the others. Takes some ten minutes; after ``SNIPBENCH_CHAOS_SECONDS``
nothing more is killed.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.aftermath import Aftermath, Blow, Recovery, percentile, told
from benchmarks.result import Goal, Row
from benchmarks.served import Served, no_engine, patiently
from snipbench.clock import SystemClock
from snipbench.store.port import DocumentStore

SEED = 7
ORDERS = 2
"""With databases that are processes of this machine."""
KILLS: dict[str, int] = {"leader": 6, "executor": 6, "session": 2, "monitor": 6, "redis": 4, "store": 4}
"""How often each is killed in these orders; ``session`` is the executor's child, which a snippet survives once only."""
OTHERS: dict[str, int] = {"flush": 2, "suspended leader": 1, "suspended executor": 1}
"""Broker told to forget everything; a process stopped until another one is in its place, then woken up."""
CONTAINED: dict[str, int] = {
    "initializer": 4,
    "leader": 3,
    "executor": 3,
    "session": 1,
    "monitor": 2,
    "redis": 2,
    "store": 2,
}
"""The same, in one more order with databases in containers."""
MOST_RUNS_BETWEEN = 4
"""A kill comes after one to so many newly recorded runs."""
LOOKS = 3
"""So often in a row must new records be seen: a run that moves to the attempts is counted twice for a moment."""
LOOK_SECONDS = 0.1
"""Between two looks: more often, and the store answers us with a third of a processor that the recovery lacks."""
STUCK_SECONDS = 240.0
"""An order that records nothing for so long is stuck."""
ORDER = """\
name: chaos-{number}
seed: {number}
spark: {{master: "local[2]", conf: {{spark.sql.shuffle.partitions: 2}}}}
monitor: {{interval: 200ms}}
databases:
  shop: {{dataset: {{generator: tpch, scale: 0.005}}{more}}}
experiments:
  - name: small
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 25
    snippets:
      - {{name: sums, kind: sql, code: select sum(o_totalprice) as total from orders}}
      - {{name: negated, kind: sql, variant_of: sums, code: select -sum(-o_totalprice) as total from orders}}
"""


@dataclass(slots=True)
class Struck:
    """What was done, and what became of it."""

    blows: list[Blow] = field(default_factory=list)
    tasks: list[Aftermath] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    recoveries: dict[str, list[Recovery]] = field(default_factory=dict)
    """By what was done; blows after which there was no run to make any more are left out."""


def run() -> Sequence[Row]:
    """All orders, one after the other; then what the store says about them."""
    random_ = random.Random(SEED)
    deadline = time.monotonic() + float(os.environ.get("SNIPBENCH_CHAOS_SECONDS", "3600"))
    struck, refusal = Struck(), no_engine()
    with TemporaryDirectory(prefix="snipbench-chaos-") as folder:
        _orders(Path(folder) / "processes", _dealt(KILLS | OTHERS, ORDERS, random_), random_, deadline, struck)
        if refusal is None and time.monotonic() < deadline:
            contained = _dealt(CONTAINED, 1, random_)
            _orders(Path(folder) / "containers", contained, random_, deadline, struck, contained=True)
    return tuple(_rows(struck, refusal))


def _dealt(times: dict[str, int], orders: int, random_: random.Random) -> list[list[str]]:
    """What is done during each of so many orders: each thing in turn, so that no order gets all of one."""
    cards = [name for name, often in times.items() for _ in range(often)]
    hands = [cards[number::orders] for number in range(orders)]
    for hand in hands:
        random_.shuffle(hand)
    return hands


def _orders(
    folder: Path,
    hands: Iterable[list[str]],
    random_: random.Random,
    deadline: float,
    struck: Struck,
    *,
    contained: bool = False,
) -> None:
    """An order per hand through services of their own; notes what was done, and what became of it."""
    folder.mkdir()
    blows: list[Blow] = []
    tasks: list[str] = []
    with ExitStack() as stack:
        served = Served(folder, stack, contained=contained)
        for hand in hands:
            if time.monotonic() > deadline:
                break
            number = len(struck.tasks) + len(tasks)
            tasks.append(served.submit(ORDER.format(number=number, more=", clone: overlay" if contained else "")))
            for name in hand:
                runs = random_.randint(1, MOST_RUNS_BETWEEN)
                if time.monotonic() > deadline or not _progress(served.store, tasks[-1], runs):
                    break
                blows.append(Blow(name, SystemClock().now(), tasks[-1]))
                _strike(served, name)
            if not _settled(served.store, tasks[-1]):
                struck.stuck.append(tasks[-1])
        struck.left += served.clones()
        stack.close()
        struck.left += served.leftovers()
    with ExitStack() as again, closing(served.reopened(again)) as store:
        found = {task_id: Aftermath(store, task_id) for task_id in tasks}
    struck.tasks += found.values()
    struck.blows += blows
    for blow in blows:
        if (recovery := found[blow.task_id].after(blow)) is not None:
            struck.recoveries.setdefault(blow.what, []).append(recovery)


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
    """Runs and attempts; a run that moves to the attempts is in both for a moment."""
    return sum(store.count(name, {"task_id": task_id}) for name in ("runs", "attempts"))


def _progress(store: DocumentStore, task_id: str, runs: int) -> bool:
    """Wait for so many new records; False when the task ends or gets stuck before."""
    wanted, deadline = patiently(lambda: _recorded(store, task_id)) + runs, time.monotonic() + STUCK_SECONDS
    looks = 0
    while looks < LOOKS:
        looks = looks + 1 if patiently(lambda: _recorded(store, task_id)) >= wanted else 0
        task = patiently(lambda: store.get("tasks", task_id)) or {}
        if task.get("ended_at") or time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
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


def _rows(struck: Struck, refusal: str | None) -> Iterator[Row]:
    kills = sum(blow.what not in OTHERS for blow in struck.blows)
    counts = Counter(blow.what for blow in struck.blows)
    yield Row("processes killed", kills, "", Goal(at_least=40), ", ".join(f"{n} {what}" for what, n in counts.items()))
    if refusal is not None:
        yield Row("initializer killed", None, "", Goal(at_least=1), refusal)
    planned = sum(task.planned for task in struck.tasks)
    recorded = sum(task.recorded_once for task in struck.tasks)
    yield Row("slots not recorded exactly once", planned - recorded, "", Goal(at_most=0), f"of {planned}")
    astray = sum(task.astray for task in struck.tasks)
    yield Row("blocks across sessions", astray, "", Goal(at_most=0), "runs that were killed themselves left out")
    lost = len(struck.stuck) + sum(task.given_up for task in struck.tasks)
    yield Row("orders stuck or given up", lost, "", Goal(at_most=0), f"of {len(struck.tasks)}")
    what = "clones, processes, containers, volumes, networks left"
    yield Row(what, len(struck.left), "", Goal(at_most=0), "; ".join(struck.left))
    waits = [each.seconds for name, found in struck.recoveries.items() if name not in OTHERS for each in found]
    if waits:
        note = f"median {median(waits):.1f} s, longest {max(waits):.1f} s, {len(waits)} kills with a run after"
        yield Row("from kill to next run started, 95th percentile", percentile(waits, 0.95), "s", Goal(15.0), note)
    for name in (*dict.fromkeys((*KILLS, *CONTAINED)), *OTHERS):
        found = struck.recoveries.get(name, [])
        seconds = [each.seconds for each in found]
        note = f"{len(seconds)} times, longest {max(seconds):.1f} s; {told(found)}".rstrip("; ") if seconds else "never"
        yield Row(f"{name}: to next run started, median", median(seconds) if seconds else None, "s", note=note)

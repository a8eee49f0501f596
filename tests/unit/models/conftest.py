"""A made-up corpus in a real store: templates whose cost follows what can be known before, or nothing at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.planning import make_plan
from snipbench import records
from snipbench.domain.analysis import Analysis
from snipbench.domain.order import Database, Experiment, Kind, Order, Role, Snippet, Tpch
from snipbench.domain.plan import Slot
from snipbench.domain.run import Cost, Run, RunMemory, RunOutcome, RunStatus, TaskStatus
from snipbench.domain.task import OrderRecord, Task
from snipbench.store.sqlite import SqliteStore

NOW = "2026-01-31T09:00:00.000000Z"
Seconds = Callable[[Slot, random.Random], float]


def nested_loops(depth: int, word: str) -> str:
    """Code with ``depth`` loops in one another; the comment gives every depth of a template the same words."""
    lines = [f"# {word} for a in b in c in range size total", "def run(size):", "    total = 0"]
    lines += [f"{'    ' * (level + 1)}for {'abc'[level]} in range(size):" for level in range(depth)]
    return "\n".join([*lines, f"{'    ' * (depth + 1)}total += 1", "    return total"])


def by_loops(slot: Slot, noise: random.Random) -> float:
    """Cost that follows the depth of the loops, whatever the template."""
    return float(10.0 ** (int(slot.snippet[-1]) - 3)) * noise.lognormvariate(0, 0.1)


def by_chance(slot: Slot, noise: random.Random) -> float:
    """Cost that follows nothing: drawn for each snippet and point, but the same in all its runs."""
    return random.Random(f"{slot.snippet}{slot.parameters}").lognormvariate(0, 1) * noise.lognormvariate(0, 0.01)


def by_template(slot: Slot, noise: random.Random) -> float:
    """Cost that follows nothing but the template: drawn once for all its snippets and points."""
    del noise
    return random.Random(slot.snippet.partition("-")[0]).lognormvariate(0, 1)


def order_of(templates: int, analyses: tuple[Analysis, ...] = ()) -> Order:
    """``templates`` templates, each in three depths at two sizes."""
    return _order(templates, lambda number, depth: nested_loops(depth, f"word{number}"), (10, 100), analyses)


def order_apart(templates: int) -> Order:
    """``templates`` templates that differ in length, each in three forms whose words are those of other templates."""

    def code(number: int, form: int) -> str:
        lines = ["def run(size):", "    total = 0", *["    total += 1"] * (1 + number), "    return total"]
        return "\n".join([f"# word{(number + 4 * form) % templates}", *lines])

    return _order(templates, code, (10,))


def _order(
    templates: int, code: Callable[[int, int], str], sizes: tuple[int, ...], analyses: tuple[Analysis, ...] = ()
) -> Order:
    snippets = []
    for number in range(templates):
        names = [f"t{number:02d}-depth{depth}" for depth in (1, 2, 3)]
        for depth, name in enumerate(names, 1):
            snippets.append(
                Snippet(
                    name=name,
                    kind=Kind.FUNCTION,
                    code=code(number, depth),
                    template=names[0],
                    role=Role.BASELINE if depth == 1 else Role.VARIANT,
                    variant_of=None if depth == 1 else names[0],
                )
            )
    experiment = Experiment(
        name="loops",
        database="shop",
        tables=(),
        warmups=1,
        repetitions=2,
        parameters={"size": sizes},
        snippets=tuple(snippets),
    )
    shop = Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01))
    return Order(name="made-up", seed=3, databases=(shop,), experiments=(experiment,), analyses=analyses)


def write_corpus(store: SqliteStore, task_id: str, order: Order, seconds: Seconds, *, failed: str = "") -> None:
    """A finished task; all runs of the snippet called ``failed`` failed."""
    plan = make_plan(order, {"shop": "d" * 64})
    noise = random.Random(task_id)
    task = Task(task_id, f"order-{task_id}", order.name, TaskStatus.COMPLETED, NOW, plan_hash=plan.plan_hash)
    store.insert("orders", [records.order_to_document(OrderRecord(task.order_id, "made-up.yaml", "", order, NOW))])
    store.replace("tasks", records.task_to_document(task), expected_version=None)
    store.insert("plans", [records.plan_to_document(task_id, plan)])
    runs = [_run(task_id, slot, seconds(slot, noise), slot.snippet == failed) for slot in plan.slots]
    store.insert("runs", [records.run_to_document(run) for run in runs])


def _run(task_id: str, slot: Slot, wall: float, failed: bool) -> Run:
    cost = Cost("executor", 2 * wall, 2 * wall, 0.0, 100, 10, 10**8, "rss", "process")
    database = Cost("database:shop", 0.0, 0.0, 0.0, 0, 0, 10**7, "rss", "process", too_short=True)
    outcome = RunOutcome(
        status=RunStatus.FAILED if failed else RunStatus.OK,
        session_id="session-1",
        started_at=NOW,
        ended_at=NOW,
        wall_seconds=wall,
        costs=(cost, database),
        memory=RunMemory(0, int(wall * 1e6), None),
    )
    return Run.of_slot(slot, task_id, 1, outcome, "clone-1", None)


@dataclass(frozen=True)
class Corpora:
    """Makers of made-up tasks, handed out by a fixture since test folders are no packages."""

    order_of: Callable[..., Order] = order_of
    order_apart: Callable[[int], Order] = order_apart
    write: Callable[..., None] = write_corpus
    by_loops: Seconds = by_loops
    by_chance: Seconds = by_chance
    by_template: Seconds = by_template


@pytest.fixture(scope="session")
def corpora() -> Corpora:
    return Corpora()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    yield opened
    opened.close()

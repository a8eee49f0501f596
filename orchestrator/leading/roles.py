"""Who does what for a leader: all of it this process, or a worker each. Chosen in ``orchestrator.wiring``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from orchestrator.dispatch.port import Dispatch
from orchestrator.leading.analysis import Analyst, LocalAnalyst
from orchestrator.leading.bench import Bench, LocalBench
from orchestrator.leading.handing import AnalyzerAnalyst, ExecutorBench
from orchestrator.leading.monitored import MonitoredWatch
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from orchestrator.leading.watch import Watch
from snipbench.domain.order import Order
from snipbench.domain.task import OrderRecord
from snipbench.resources.port import Target


@dataclass(frozen=True, slots=True)
class Roles:
    """Makes what has the sessions of a task, what watches targets (stages 12 to 17), what follows the runs."""

    bench: Callable[[Parts, TaskBook, OrderRecord], Bench]
    watch: Callable[[Parts, TaskBook, Order, str, Sequence[Target]], AbstractContextManager[None]]
    analyst: Callable[[Parts, TaskBook], Analyst]


HERE = Roles(LocalBench, Watch, LocalAnalyst)
"""One process does everything."""


def at_workers(dispatch: Dispatch) -> Roles:
    """An executor, a monitor, an analyzer, each told by ``dispatch`` that there is work."""
    return Roles(
        bench=partial(ExecutorBench, dispatch=dispatch),
        watch=partial(MonitoredWatch, dispatch=dispatch),
        analyst=partial(AnalyzerAnalyst, dispatch=dispatch),
    )

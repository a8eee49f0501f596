"""How much slower watching makes a run: pairs of a watched and an unwatched one, where an order asks for it.

Both sides come after the same work: a monitor is started before each run, and stopped before an unwatched one. They are
made after an experiment's measured runs, in its warm session, and are none of its runs: nothing of them is recorded but
the interval of their ratio.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory

from executor.calls import SnippetCall
from executor.engine import Engine
from monitor.sampler import StreamId
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.leading.parts import Parts
from orchestrator.leading.stream import Stream
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.event import WATCHING_MEASURED
from snipbench.domain.order import Experiment, Order, Role
from snipbench.domain.plan import Parameters
from snipbench.domain.run import RunStatus
from snipbench.statistics import paired_ratio
from snipbench.statistics.pairing import mirrored
from snipbench.store.sqlite import SqliteStore


class WatchingCost:
    """Measures it once for each experiment, on its first baseline that did not fail."""

    def __init__(self, parts: Parts, book: TaskBook, order: Order) -> None:
        self._parts = parts
        self._book = book
        self._order = order

    def measure(
        self,
        experiment: Experiment,
        parameters: Parameters,
        engine: Engine,
        database: ReferenceDatabase,
        cancel_statements: Callable[[], None],
    ) -> None:
        """Make the pairs that the order asks for, unless they were made, and log their interval; a run that fails ends
        it, which is logged too. Returns early when the session is lost."""
        wanted = self._order.monitor.pairs
        if not wanted or self._book.has_logged(WATCHING_MEASURED, experiment.name):
            return
        snippet = next(one for one in experiment.snippets if one.role is Role.BASELINE)
        call = SnippetCall(snippet, parameters)
        self._parts.progress.note(f"measuring what watching costs: {wanted} pairs of {experiment.name}/{snippet.name}")
        pairs: list[tuple[float, float]] = []
        for watched_first in (True, *mirrored(wanted, random.Random(self._order.seed))):  # the first warms both ways up
            self._book.check()
            seconds: dict[bool, float] = {}
            for watched in (watched_first, not watched_first):
                with self._monitored(experiment, engine, database, watched=watched):
                    outcome = engine.run(
                        call, timeout_seconds=experiment.timeout_seconds, cancel_statements=cancel_statements
                    )
                if engine.lost:
                    return
                if outcome.status is not RunStatus.OK or not outcome.wall_seconds:
                    why = outcome.failure.kind if outcome.failure else outcome.status.value
                    self._book.log(
                        WATCHING_MEASURED, experiment=experiment.name, status="failed", text=f"{snippet.name}: {why}"
                    )
                    return
                seconds[watched] = outcome.wall_seconds
            pairs.append((seconds[True], seconds[False]))
        ratio = paired_ratio(pairs[1:])
        data = {"snippet": snippet.name, "pairs": ratio.pairs, "interval_seconds": self._order.monitor.interval_seconds}
        data |= {"median": ratio.median, "low": ratio.low, "high": ratio.high}
        self._book.log(WATCHING_MEASURED, experiment=experiment.name, text=snippet.name, data=data)

    @contextmanager
    def _monitored(
        self, experiment: Experiment, engine: Engine, database: ReferenceDatabase, *, watched: bool
    ) -> Iterator[None]:
        """Watched as measured runs are, by a monitor in this process that writes into a file of its own; or just after
        such a monitor has stopped."""
        work = self._parts.home.work
        work.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="watching-", dir=work) as folder, closing(SqliteStore(f"{folder}/s")) as store:
            stream = Stream(
                store,
                self._parts.clock,
                StreamId(self._book.task.task_id, experiment.name, "watching"),
                self._order.monitor.source,
                self._order.monitor.interval_seconds,
                (engine.target, database.target),
                None,  # a spool's leftovers would be sent to the store that is deleted with the folder
            )
            stream.start()
            if not watched:
                stream.stop()
                yield
                return
            try:
                yield
            finally:
                stream.stop()

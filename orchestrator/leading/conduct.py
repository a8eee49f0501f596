"""Conducting one segment: the runs that one session makes on one clone, watched and recorded one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from executor.calls import SnippetCall
from executor.engine import Engine
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.leading.parts import Parts
from orchestrator.leading.results import ResultPass
from orchestrator.leading.segments import Segment
from orchestrator.leading.taskbook import TaskBook
from orchestrator.leading.watching_cost import WatchingCost
from snipbench.clock import to_text
from snipbench.domain.event import Stage
from snipbench.domain.order import Experiment, Order
from snipbench.domain.plan import Parameters, Slot
from snipbench.domain.run import Failure, Run, RunOutcome, RunStatus

STRIKES = 2
"""After so many lost sessions or time-outs a snippet is not run again at that parameter point (decision 0003)."""


class Conductor:
    """Runs segments of one order; keeps count of what kept failing."""

    def __init__(self, parts: Parts, book: TaskBook, order: Order) -> None:
        self._parts = parts
        self._book = book
        self._order = order
        self._strikes: Counter[tuple[str, str, Parameters]] = Counter()
        for run in book.accepted().values():
            self._count_strike(run.experiment, run.snippet, run.parameters, run.outcome.status)

    def conduct(self, segment: Segment, engine: Engine, database: ReferenceDatabase, application: str) -> None:
        """Run all of ``segment``; returns early when the session is lost (``engine.lost`` says why)."""
        experiment = self._order.experiment(segment.experiment)
        results = ResultPass(self._parts, self._book, self._order, experiment, engine, database, application)
        points = _points(experiment, segment)
        for slot in segment.repeated_warmups:
            run = self._run(experiment, replace(slot, slot_id=""), engine, database, application, results)
            self._book.record(replace(run, slot_id=None))
            if engine.lost:
                return
        self._take_results(experiment, points, engine, results)
        if engine.lost:
            return
        for slot in segment.warmups:
            self._book.record(self._run(experiment, slot, engine, database, application, results))
            if engine.lost:
                return
        targets = (engine.target, database.target)
        with self._parts.roles.watch(self._parts, self._book, self._order, experiment.name, targets):
            for slot in segment.measured:
                self._measure(experiment, slot, engine, database, application, results)
                if engine.lost:
                    return
        for snippet, parameters in points:
            if not engine.lost and not self._quarantined(experiment.name, snippet, parameters):
                results.take(snippet, parameters)
        if points and not engine.lost:
            cost = WatchingCost(self._parts, self._book, self._order)
            cost.measure(experiment, points[0][1], engine, database, partial(self._cancel, database, application))

    def _take_results(
        self, experiment: Experiment, points: list[tuple[str, Parameters]], engine: Engine, results: ResultPass
    ) -> None:
        """What each point computes, then whether variants compute the same; returns early as :meth:`conduct` does."""
        for snippet, parameters in points:
            if not self._quarantined(experiment.name, snippet, parameters):
                results.take(snippet, parameters)
                if engine.lost:
                    self._strikes[experiment.name, snippet, parameters] += 1
                    return
        results.compare(points)

    def _measure(
        self,
        experiment: Experiment,
        slot: Slot,
        engine: Engine,
        database: ReferenceDatabase,
        application: str,
        results: ResultPass,
    ) -> None:
        self._log(Stage.EXECUTION_REQUESTED, slot, "ok")
        run = self._run(experiment, slot, engine, database, application, results)
        self._book.record(run)
        self._log(Stage.SNIPPET_EXECUTED, slot, run.outcome.status.value)
        self._log(Stage.EXECUTION_FINISHED, slot, run.outcome.status.value)

    def _log(self, stage: Stage, slot: Slot, status: str) -> None:
        self._book.log(stage, experiment=slot.experiment, slot_id=slot.slot_id, status=status, text=slot.snippet)

    def _run(
        self,
        experiment: Experiment,
        slot: Slot,
        engine: Engine,
        database: ReferenceDatabase,
        application: str,
        results: ResultPass,
    ) -> Run:
        snippet = experiment.snippet(slot.snippet)
        if self._quarantined(experiment.name, slot.snippet, slot.parameters):
            outcome = self._not_run(engine.session_id, results.told(slot.snippet, slot.parameters))
        else:
            outcome = engine.run(
                SnippetCall(snippet, slot.parameters),
                timeout_seconds=experiment.timeout_seconds,
                phase=slot.phase,
                targets=(engine.target, database.target),
                cancel_statements=partial(self._cancel, database, application),
            )
            self._count_strike(experiment.name, slot.snippet, slot.parameters, outcome.status)
        failure = results.failure(slot.snippet, slot.parameters)
        if outcome.status is RunStatus.OK and failure is not None:
            outcome = replace(outcome, status=RunStatus.FAILED, failure=failure)
        self._parts.progress.run(slot, outcome)
        return Run.of_slot(
            slot,
            self._book.task.task_id,
            self._book.attempts(slot.slot_id) + 1,
            outcome,
            database.clone_id,
            results.hash_of(slot.snippet, slot.parameters),
        )

    def _cancel(self, database: ReferenceDatabase, application: str) -> None:
        self._parts.cancel_backends(database.admin, application)

    def _quarantined(self, experiment: str, snippet: str, parameters: Parameters) -> bool:
        return self._strikes[experiment, snippet, parameters] >= STRIKES

    def _count_strike(self, experiment: str, snippet: str, parameters: Parameters, status: RunStatus) -> None:
        if status in {RunStatus.KILLED, RunStatus.TIMEOUT}:
            self._strikes[experiment, snippet, parameters] += 1

    def _not_run(self, session_id: str, last: str) -> RunOutcome:
        now = to_text(self._parts.clock.now())
        reason = f"not run again after {STRIKES} lost sessions or time-outs{'; ' + last if last else ''}"
        failure = Failure("Quarantined", reason)
        return RunOutcome(RunStatus.FAILED, session_id, now, now, wall_seconds=None, failure=failure)


def _points(experiment: Experiment, segment: Segment) -> list[tuple[str, Parameters]]:
    """Snippets and parameter points of the segment, each once: baselines first, then as in the order."""
    slots = (*segment.repeated_warmups, *segment.warmups, *segment.measured)
    names = [snippet.name for snippet in experiment.snippets]
    found = {(slot.snippet, slot.parameters) for slot in slots}
    return sorted(found, key=lambda point: (experiment.snippet(point[0]).role, names.index(point[0]), str(point[1])))

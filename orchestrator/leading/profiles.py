"""The profile pass: after an experiment's measured runs, its Python snippets once each with every function profiled."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from executor.calls import ProfileFacts, ProfileRequest, SnippetCall
from executor.engine import Engine
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.taskbook import TaskBook
from snipbench.clock import to_text
from snipbench.domain.order import Experiment, Order
from snipbench.domain.plan import Parameters, parameter_points
from snipbench.domain.profile import PROFILED_KINDS, Profile
from snipbench.domain.run import Failure, RunStatus
from snipbench.errors import SessionLost

MAX_BYTES = 128 << 20
"""What one process may write of one point: some two million calls; those beyond are counted."""
SLOWER = 3.0
"""A pass gets so many times the snippet's time-out, and the grace: what is profiled is slower."""
GRACE_SECONDS = 30.0

Point = tuple[str, Parameters]


class ProfilePass:
    """Profiles what an order asks for, each point once in a task, whatever comes of it."""

    def __init__(self, parts: Parts, book: TaskBook, order: Order) -> None:
        self._parts = parts
        self._book = book
        self._order = order

    def left(self, experiment: Experiment) -> list[Point]:
        """Points that are still to be profiled; none unless the order says ``profile: true``."""
        if not self._order.profile:
            return []
        done = self._book.profiled()
        return [
            (snippet.name, parameters)
            for snippet in experiment.snippets
            if snippet.kind in PROFILED_KINDS
            for parameters in parameter_points(experiment)
            if Profile.identify(experiment.name, snippet.name, parameters) not in done
        ]

    def take(self, experiment: Experiment, engine: Engine, database: ReferenceDatabase, application: str) -> None:
        """Profile what is left of the experiment; returns early when the session is lost (``engine.lost`` says why).

        Raises: as :meth:`TaskBook.check` does.
        """
        unfit = self._unfit(experiment)
        for snippet, parameters in self.left(experiment):
            self._book.check()
            profile = Profile(
                task_id=self._book.task.task_id,
                slot_id=Profile.identify(experiment.name, snippet, parameters),
                experiment=experiment.name,
                snippet=snippet,
                parameters=parameters,
                profiled_at=to_text(self._parts.clock.now()),
                seconds=None,
                failure=None,
            )
            if (snippet, parameters) in unfit:
                reason = "not profiled: a run of it ended its session or took too long"
                self._keep(replace(profile, failure=Failure("Quarantined", reason)))
            else:
                self._keep(self._profiled(profile, experiment, engine, database, application))
            if engine.lost:
                return

    def _profiled(
        self, profile: Profile, experiment: Experiment, engine: Engine, database: ReferenceDatabase, application: str
    ) -> Profile:
        from analyzer.profiles import collect  # with pyarrow, which no other order needs here

        home = self._parts.home
        spilled = home.work / "profiles" / profile.task_id / profile.slot_id
        shutil.rmtree(spilled, ignore_errors=True)  # of a pass that was interrupted

        def cancel() -> None:
            self._parts.cancel_backends(database.admin, application)

        try:
            facts = engine.profile(
                SnippetCall(experiment.snippet(profile.snippet), profile.parameters),
                ProfileRequest(spilled, profile.task_id, profile.slot_id, MAX_BYTES),
                timeout_seconds=SLOWER * experiment.timeout_seconds + GRACE_SECONDS,
                cancel_statements=cancel,
            )
        except SessionLost as error:
            facts = ProfileFacts(None, 0, Failure("SessionLost", error.reason, error.detail))
        collected = collect(spilled, calls_folder(home, profile.task_id) / f"{profile.slot_id}.parquet")
        shutil.rmtree(spilled, ignore_errors=True)
        return replace(
            profile,
            seconds=facts.seconds,
            failure=facts.failure,
            functions=collected.functions,
            kept_calls=collected.kept_calls,
            lost_calls=facts.lost_calls,
            broken_lines=collected.broken_lines,
        )

    def _keep(self, profile: Profile) -> None:
        self._book.keep_profile(profile)
        where = " ".join([profile.snippet, *(f"{name}={value}" for name, value in profile.parameters)])
        if profile.failure is None:
            text, status = f"{where}: {profile.calls} calls of {len(profile.functions)} functions", "ok"
        else:
            text, status = f"{where}: {profile.failure.kind}: {profile.failure.message.partition(chr(10))[0]}", "failed"
        self._book.log("snippet profiled", experiment=profile.experiment, status=status, text=text)
        self._parts.progress.note(f"profiled {profile.experiment}/{text}")

    def _unfit(self, experiment: Experiment) -> frozenset[Point]:
        """Points of which a run ended its session or took too long: not tried again."""
        return frozenset(
            (run.snippet, run.parameters)
            for run in self._book.accepted().values()
            if run.experiment == experiment.name and run.outcome.status in {RunStatus.KILLED, RunStatus.TIMEOUT}
        )


def calls_folder(home: Home, task_id: str) -> Path:
    """Where the rows of ``function_calls`` of a task are until they are landed."""
    return home.profiles / task_id


def profiled_tables(home: Home, task_id: str) -> dict[str, Path]:
    """What profile passes left for the landing to take along; nothing once it is landed."""
    folder = calls_folder(home, task_id)
    return {"function_calls": folder} if folder.is_dir() else {}


def forget_calls(home: Home, task_id: str) -> None:
    """The calls are in the lake: their files may go. A landing without them leaves the lake's rows as they are."""
    folder = calls_folder(home, task_id)
    if folder.is_dir():
        shutil.rmtree(folder)

"""Verifying suggestions: screening, then the proof on a clone of its own, then the verdict."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from analyzer.proof.judging import judge
from analyzer.proof.planning import ProofPlan, Side, plan_proof
from analyzer.proof.screening import refusals
from analyzer.proof.steps import Judgement, Step, StepName, StepStatus, Verdict
from executor.calls import PrepareRequest
from orchestrator.databases.port import Connection, Prototype, ReferenceDatabase
from orchestrator.leading.ending import Ends
from orchestrator.leading.materials import order_folder
from orchestrator.leading.parts import Parts
from orchestrator.leading.specs import session_spec
from orchestrator.proving.code_check import problems
from orchestrator.proving.copies import DataCopies
from orchestrator.proving.duel import Duel
from orchestrator.proving.port import ResultJudge
from orchestrator.proving.proof import ProofRunner, unavailable
from orchestrator.proving.sandboxing import refusal
from snipbench.clock import to_text
from snipbench.domain.order import Experiment, Snippet
from snipbench.domain.plan import Parameters
from snipbench.domain.spark_master import is_local
from snipbench.domain.task import OrderRecord


@dataclass(frozen=True, slots=True)
class Proved:
    """What a proof showed, step by step, and how the candidate was sandboxed (``None``: it never ran)."""

    judgement: Judgement
    steps: tuple[Step, ...]
    sandbox: str | None


@contextmanager
def opened_verifier(parts: Parts, record: OrderRecord, task_id: str, ends: Ends) -> Iterator[Verifier]:
    """A verifier with a judge; what its proofs wrote is removed at the end, and before what interrupted ones left."""
    work = parts.home.work / "proofs"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    try:
        with parts.sandboxing.judge(work) as referee:
            yield Verifier(parts, record, task_id, referee, work, ends)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class Verifier:
    """Proves candidates of one order, one after the other."""

    def __init__(
        self, parts: Parts, record: OrderRecord, task_id: str, referee: ResultJudge, work: Path, ends: Ends
    ) -> None:
        self._parts = parts
        self._ends = ends
        self._order = record.order
        self._base = order_folder(record, parts.home)
        self._task_id = task_id
        self._referee = referee
        self._work = work
        self._prototypes: dict[str, Prototype] = {}

    def prove(
        self,
        suggestion_id: str,
        experiment: str,
        snippet: str,
        candidate: Snippet,
        *,
        points: Sequence[Parameters],
        advisor: str,
    ) -> Proved:
        """Prove one candidate against the snippet that it is to replace.

        Args:
            suggestion_id: names folders and connections.
            points: the snippet's parameter points, that of the longest runs first.
            advisor: who wrote it; decides what may run where there is no sandbox.
        """
        where = self._order.experiment(experiment)
        original = where.snippet(snippet)
        steps = [self._screening(where, original, candidate)]
        barred = refusal(self._parts.sandboxing, advisor)
        if steps[0].passed and barred is not None:
            return Proved(Judgement(Verdict.INCONCLUSIVE, barred), tuple(steps), None)
        sandbox: str | None = None
        if steps[0].passed:
            plan = plan_proof(
                points,
                seed=self._order.seed,
                subject=f"{experiment}/{snippet} {candidate.code}",
                original=f"{original.input or ''} {original.code}",
            )
            with unavailable(steps, self._parts.clock), self._clone(where) as database:
                sides: dict[Side, Snippet] = {"original": original, "candidate": candidate}
                made, sandbox = self._runner(suggestion_id, where, sides, plan, database).run()
                steps += made
        return Proved(judge(steps), tuple(steps), sandbox)

    def _screening(self, experiment: Experiment, original: Snippet, candidate: Snippet) -> Step:
        started_at = to_text(self._parts.clock.now())
        refused = dict.fromkeys((*refusals(original, candidate), *problems(experiment, candidate)))
        return Step(
            StepName.SCREENING,
            StepStatus.FAILED if refused else StepStatus.PASSED,
            "; ".join(refused) if refused else f"nothing speaks against running it{self._elsewhere()}",
            verdict=Verdict.FAILED if refused else None,
            started_at=started_at,
            ended_at=to_text(self._parts.clock.now()),
        )

    def _elsewhere(self) -> str:
        """That a proof is not made where the runs were, if so (decision 0225)."""
        master = self._order.spark.master
        return "" if is_local(master) else f"; it is proved on this machine (local[*]), not at {master}"

    def _runner(
        self,
        suggestion_id: str,
        experiment: Experiment,
        sides: dict[Side, Snippet],
        plan: ProofPlan,
        database: ReferenceDatabase,
    ) -> ProofRunner:
        tables = [table.name for table in experiment.tables]
        copies = DataCopies(database.admin, database.run, tables, seed=self._order.seed)
        return ProofRunner(
            plan=plan,
            original=sides["original"],
            copies=copies,
            judge=self._referee,
            float_tolerance=self._order.float_tolerance,
            cached=experiment.source == "cached",
            clock=self._parts.clock,
            new_duel=partial(self._duel, suggestion_id, experiment, sides, database, copies.candidate()),
            note=self._parts.progress.note,
        )

    def _duel(
        self,
        suggestion_id: str,
        experiment: Experiment,
        sides: dict[Side, Snippet],
        database: ReferenceDatabase,
        candidate: Connection,
        name: str,
    ) -> Duel:
        folder = self._work / suggestion_id / name
        logs = self._parts.home.logs / "proofs" / suggestion_id / name
        spec = session_spec(self._parts, self._order, work=folder, logs=logs, share=2, here=True)
        return Duel(
            replace(spec, self_test=False),
            self._parts.sandboxing.session,
            PrepareRequest(
                experiment=experiment.name,
                jdbc_url=database.run.jdbc_url,
                user=database.run.user,
                password=database.run.password,
                application_name=f"snipbench-{suggestion_id}",
                tables=experiment.tables,
                source=experiment.source,
            ),
            sides,
            timeout_seconds=experiment.timeout_seconds,
            results=folder / "results",
            cancel=partial(self._cancel, database),
            candidate=candidate,
            ends=self._ends,
        )

    @contextmanager
    def _clone(self, experiment: Experiment) -> Iterator[ReferenceDatabase]:
        database = self._order.database(experiment.database)
        if database.name not in self._prototypes:
            self._prototypes[database.name] = self._parts.databases.prepare(database, self._base, owner=self._task_id)
        clone = self._parts.databases.clone(self._prototypes[database.name], database, owner=self._task_id)
        try:
            yield clone
        finally:
            self._parts.databases.release(clone.clone_id)

    def _cancel(self, database: ReferenceDatabase, application: str) -> None:
        self._parts.cancel_backends(database.admin, application)

"""Running the proof of one candidate: the steps that ``analyzer.proof`` plans and judges."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from analyzer.proof.judging import Compared, judge_equality, judge_pairs
from analyzer.proof.planning import MUTATED, OPTIONAL, DataCopy, ProofPlan, Side
from analyzer.proof.steps import Step, StepName, StepStatus, Verdict
from analyzer.words import parameters_text
from executor.proving import WrittenResult
from orchestrator.leading.ending import ENDINGS
from orchestrator.proving.copies import DataCopies
from orchestrator.proving.duel import Duel, PairedRuns
from orchestrator.proving.port import ResultJudge
from orchestrator.proving.variation import Variation
from snipbench.clock import Clock, to_text
from snipbench.domain.order import Snippet
from snipbench.domain.plan import Parameters
from snipbench.domain.run import Failure
from snipbench.errors import SnipbenchError

SPOT_CHECKS = 5
"""Pairs of each session whose results are compared; which ones, nobody can know beforehand."""
SURPRISES = 2
"""At so many moments of each session's pairs, drawn by chance, results are compared on another copy of the data. Where
the rows that go do not matter to the result, an answer that is kept once it stopped changing is right at every pair."""
MOST_FAILURES = 3
"""So many failed runs of a side end the pairs."""
UNVARIED = (
    "nothing could be changed between the pairs: every table is a view or has too few rows, and no parameter is a "
    "large whole number; an answer that is kept would look fast"
)
_DICE = random.SystemRandom()
"""Decides which pairs are checked. A seed could be known to what is checked."""


@dataclass(frozen=True, slots=True)
class ProofRunner:
    """Makes the steps on one clone. ``new_duel`` gives a fresh pair of sessions, not started yet."""

    plan: ProofPlan
    original: Snippet
    copies: DataCopies
    judge: ResultJudge
    float_tolerance: float
    cached: bool
    clock: Clock
    new_duel: Callable[[str], Duel]
    note: Callable[[str], None]

    def run(self) -> tuple[list[Step], str]:
        """All steps after screening, until one decides; and how the candidate was sandboxed.

        Raises:
            SnipbenchError: the platform failed: a session that never started, a copy that could not be made.
        """
        steps: list[Step] = []
        with self.new_duel("pairs") as duel:
            sandbox = duel.sandbox
            for step in self._equality(duel):
                steps.append(step)
                if not step.passed:
                    return steps, sandbox
            taken = _taken(steps)
            steps.extend(self._pairs(duel, StepName.PAIRS, self.plan.first_pairs, taken))
        if all(step.passed for step in steps):
            with self.new_duel("confirmation") as duel:
                steps.extend(self._pairs(duel, StepName.CONFIRMATION, self.plan.second_pairs, taken))
        return steps, sandbox

    def _equality(self, duel: Duel) -> Iterator[Step]:
        """Results on the clone, the second copy, the mutated ones."""
        yield from self._compare_on(duel, DataCopy.CLONE)
        for point in self.plan.unseen:
            began = self._now()
            step = judge_equality(replace(self._compare(duel, DataCopy.CLONE, point), unseen=True))
            yield replace(step, started_at=began, ended_at=self._now())
        yield from self._compare_on(duel, DataCopy.SECOND)
        strictest = yield from self._compare_on(duel, MUTATED[0])
        if not strictest:
            for copy in MUTATED[1:]:
                yield from self._compare_on(duel, copy)
        for copy in OPTIONAL:
            yield from self._compare_on(duel, copy)
        self._show(duel, DataCopy.CLONE)

    def _compare_on(self, duel: Duel, copy: DataCopy) -> Generator[Step, None, bool]:
        """Compare at every point; gives whether the original had an answer on the copy at all of them."""
        began = self._now()
        self._show(duel, copy)
        whole = True
        for point in self.plan.points:
            step = judge_equality(self._compare(duel, copy, point))
            whole = whole and step.status is not StepStatus.SKIPPED and not step.empty
            yield replace(step, started_at=began, ended_at=self._now())
            began = self._now()
        return whole

    def _compare(self, duel: Duel, copy: DataCopy, point: Parameters) -> Compared:
        """Results of both sides on the copy that is shown."""
        with duel.written(point) as (original, candidate):
            return self._compared(copy, point, original, candidate)

    def _compared(
        self, copy: DataCopy, point: Parameters, original: WrittenResult, candidate: WrittenResult
    ) -> Compared:
        compared = Compared(copy, parameters_text(dict(point)))
        if original.failure is not None:
            return replace(compared, original_failure=original.failure)
        if candidate.failure is not None:
            return replace(compared, candidate_failure=candidate.failure)
        comparison = self.judge.judge(original, candidate, self.float_tolerance, original.sort_keys)
        return replace(compared, comparison=comparison)

    def _pairs(self, duel: Duel, name: StepName, order: Sequence[Side], taken: Sequence[DataCopy]) -> list[Step]:
        """Timed pairs, and before them the comparisons of a random few.

        ``taken`` are the other copies of the data that the original can take.
        """
        began = self._now()
        self.note(f"{name.value}: {len(order)} pairs")
        variation = Variation(self.copies, self.plan.timed, self.original, cached=self.cached)
        for _ in range(self.plan.warmups):
            with duel.written(self.plan.timed):  # nothing is timed yet, so both may work at once
                pass
        pairs: list[tuple[float, float]] = []
        loads: list[float] = []
        failures: list[tuple[Side, Failure]] = []
        checks: list[Step] = []
        surprises = _DICE.sample(range(len(order)), SURPRISES if taken else 0)
        checked = _DICE.sample(range(len(order)), min(SPOT_CHECKS, len(order)))
        for number, first in enumerate(order):
            if number in surprises:
                checks.append(self._surprise(duel, _DICE.choice(taken)))
                if not checks[-1].passed:
                    break
            point = variation.next(duel, number)
            if point is None:
                return [*checks, Step(name, StepStatus.INCONCLUSIVE, UNVARIED, verdict=Verdict.INCONCLUSIVE)]
            runs = duel.time_pair(first, point)
            if runs.values is not None:
                pairs.append(runs.values)
                loads.append(runs.original.load_seconds or 0.0)
                if number in checked:
                    checks.append(self._check(runs, point))
            else:
                failures += _failures(runs)
            duel.discard(runs.original.written, runs.candidate.written)
            if len(failures) >= MOST_FAILURES or (checks and not checks[-1].passed):
                break
        timed = judge_pairs(name, _above_floor(pairs, loads), _told(failures, len(order), len(pairs)))
        if failed := [failure for side, failure in failures if side == "candidate"]:
            detail = f"{len(failed)} timed runs failed: {failed[0].kind}: {failed[0].message}"
            timed = replace(timed, status=StepStatus.FAILED, verdict=Verdict.FAILED, detail=detail)
        timed = replace(timed, started_at=began, ended_at=self._now())
        return [*(replace(check, started_at=began, ended_at=timed.ended_at) for check in checks), timed]

    def _surprise(self, duel: Duel, copy: DataCopy) -> Step:
        """An untimed comparison on another copy between two pairs; then the clone is shown again."""
        self._show(duel, copy)
        step = judge_equality(self._compare(duel, copy, self.plan.timed))
        self._show(duel, DataCopy.CLONE)
        return replace(step, detail=f"between two timed pairs: {step.detail}")

    def _check(self, runs: PairedRuns, point: Parameters) -> Step:
        original, candidate = runs.original.written, runs.candidate.written
        if original is None or candidate is None:
            return judge_equality(Compared(DataCopy.CLONE, "a timed pair"))
        step = judge_equality(self._compared(DataCopy.CLONE, point, original, candidate))
        return replace(step, detail=f"in a timed pair: {step.detail}")

    def _show(self, duel: Duel, copy: DataCopy) -> None:
        self.copies.show(copy)
        if self.cached:
            duel.prepare()

    def _now(self) -> str:
        return to_text(self.clock.now())


def _taken(steps: Sequence[Step]) -> tuple[DataCopy, ...]:
    """Copies other than the clone on which the results were equal, with rows, at every point."""
    passed: dict[DataCopy, bool] = {}
    for step in steps:
        if step.data_copy is not None:
            copy = DataCopy(step.data_copy)
            passed[copy] = passed.get(copy, True) and step.status is StepStatus.PASSED and not step.empty
    return tuple(copy for copy, equal in passed.items() if equal and copy not in {DataCopy.CLONE, DataCopy.EMPTY})


def _failures(runs: PairedRuns) -> list[tuple[Side, Failure]]:
    found: list[tuple[Side, Failure]] = []
    if runs.original.wall_seconds is None:
        found.append(("original", runs.original.failure or Failure(runs.original.status.value, "")))
    elif runs.candidate.wall_seconds is None:
        found.append(("candidate", runs.candidate.failure or Failure(runs.candidate.status.value, "")))
    return found


def _told(failures: Sequence[tuple[Side, Failure]], planned: int, made: int) -> str | None:
    """Why there are fewer pairs than planned."""
    if made == planned or not failures:
        return None
    side, failure = failures[0]
    return f"{planned - made} of {planned} pairs are missing; the {side} failed: {failure.kind}: {failure.message}"


def _above_floor(pairs: list[tuple[float, float]], loads: list[float]) -> list[tuple[float, float]]:
    """Pairs less what merely loading the original takes: both sides pay it, neither could do without.

    The least that it took is taken off. What a candidate says of its own loading is not asked for. Where a side took no
    longer than that, nothing is taken off.
    """
    floor = min(loads, default=0.0)
    if any(value <= floor for pair in pairs for value in pair):
        return pairs
    return [(candidate - floor, original - floor) for candidate, original in pairs]


@contextmanager
def unavailable(steps: list[Step], clock: Clock) -> Iterator[None]:
    """A failure of the platform becomes a step that leaves the proof open."""
    try:
        yield
    except ENDINGS:
        raise
    except SnipbenchError as error:
        now = to_text(clock.now())
        detail = f"the proof could not be made: {type(error).__name__}: {error}"
        steps.append(
            Step(
                StepName.EQUALITY,
                StepStatus.INCONCLUSIVE,
                detail,
                verdict=Verdict.INCONCLUSIVE,
                started_at=now,
                ended_at=now,
            )
        )

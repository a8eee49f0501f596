"""From what the steps showed to one of the five verdicts (design, section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.proof import telling
from analyzer.proof.planning import MUTATED, OPTIONAL, DataCopy
from analyzer.proof.steps import Judgement, Step, StepName, StepStatus, Verdict
from snipbench.domain.result import Comparison, Equality
from snipbench.domain.run import Failure
from snipbench.statistics import RatioResult, paired_ratio

MOST_RATIO = 0.95
"""A verified median ratio candidate ÷ original is at most this: a gain of 5 %."""
LEAST_PAIRS = 20
"""With fewer usable pairs nothing is claimed."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison of results: at most one of the failures, or the comparison.

    ``unseen``: at parameters that the order does not have, which the original need not take.
    """

    copy: DataCopy
    where: str
    comparison: Comparison | None = None
    original_failure: Failure | None = None
    candidate_failure: Failure | None = None
    unseen: bool = False


def judge_equality(compared: Compared) -> Step:
    """What a comparison of results means. An original that fails leaves nothing to compare with."""
    place = f"{compared.copy.value}{f' ({compared.where})' if compared.where else ''}"
    verdict: Verdict | None = None
    empty = False
    if compared.original_failure is not None:
        detail = f"the original itself fails on {place}: {telling.failure(compared.original_failure)}"
        status = StepStatus.SKIPPED
        if compared.copy not in OPTIONAL and compared.copy not in MUTATED and not compared.unseen:
            status, verdict = StepStatus.INCONCLUSIVE, Verdict.INCONCLUSIVE
    elif compared.candidate_failure is not None:
        detail = f"fails on {place}, where the original does not: {telling.failure(compared.candidate_failure)}"
        status, verdict = StepStatus.FAILED, Verdict.FAILED
    elif compared.comparison is None:
        detail = f"results on {place} were not compared"
        status, verdict = StepStatus.INCONCLUSIVE, Verdict.INCONCLUSIVE
    else:
        status, verdict = _EQUALITIES[compared.comparison.equality]
        rows = "".join(f"; {row}" for row in compared.comparison.differing_rows[:2])
        # Where no table has a row, none is an answer.
        empty = status is StepStatus.PASSED and compared.comparison.rows == 0 and compared.copy is not DataCopy.EMPTY
        reason = "neither has a row" if empty else compared.comparison.reason
        detail = f"{_WORDS[status]} on {place}: {reason}{rows}"
    return Step(StepName.EQUALITY, status, detail, data_copy=compared.copy.value, verdict=verdict, empty=empty)


_EQUALITIES: dict[Equality, tuple[StepStatus, Verdict | None]] = {
    Equality.EQUAL: (StepStatus.PASSED, None),
    Equality.EQUAL_WITHIN_TOLERANCE: (StepStatus.PASSED, None),
    Equality.DIFFERENT: (StepStatus.FAILED, Verdict.WRONG_RESULT),
    Equality.INCONCLUSIVE: (StepStatus.INCONCLUSIVE, Verdict.INCONCLUSIVE),
}
_WORDS = {
    StepStatus.PASSED: "the same result",
    StepStatus.FAILED: "another result",
    StepStatus.INCONCLUSIVE: "a result that cannot be judged",
}


def judge_pairs(name: StepName, pairs: Sequence[tuple[float, float]], lost: str | None = None) -> Step:
    """What timed pairs ``(candidate, original)`` mean.

    Args:
        name: ``PAIRS`` or ``CONFIRMATION``.
        pairs: seconds; both sides positive.
        lost: why there are fewer pairs than planned.
    """
    ratio = paired_ratio(pairs, minimum_pairs=LEAST_PAIRS)
    status, verdict = _claim(ratio)
    detail = telling.pairs(ratio, status, lost)
    return Step(name, status, detail, DataCopy.CLONE.value, ratio, tuple(pairs), verdict)


def _claim(ratio: RatioResult) -> tuple[StepStatus, Verdict | None]:
    if ratio.median is None or ratio.low is None or ratio.high is None or ratio.pairs < LEAST_PAIRS:
        return StepStatus.INCONCLUSIVE, Verdict.INCONCLUSIVE
    if ratio.high < 1 and ratio.median <= MOST_RATIO:
        return StepStatus.PASSED, None
    if ratio.high < 1 or ratio.low > 1 or ratio.low > MOST_RATIO:
        return StepStatus.FAILED, Verdict.EQUAL_NOT_FASTER
    return StepStatus.INCONCLUSIVE, Verdict.INCONCLUSIVE


def judge(steps: Sequence[Step]) -> Judgement:
    """The verdict of a proof that made these steps, in this order.

    ``verified`` needs everything: screening passed, equal results on the clone, the second copy and a mutated copy,
    with a row at least where the clone's have one, and on a mutated copy in any case; both sets of pairs. Anything
    missing is ``inconclusive``; a wrong result or a failure, wherever it shows, decides.
    """
    pairs = next((step for step in steps if step.name is StepName.PAIRS), None)
    confirmation = next((step for step in steps if step.name is StepName.CONFIRMATION), None)
    ratio = None if pairs is None else pairs.ratio
    decisive = _decisive(steps)
    if decisive is not None:
        return Judgement(decisive.verdict or Verdict.INCONCLUSIVE, telling.sentence(decisive), ratio)
    missing = _missing(steps)
    if missing is not None or pairs is None or confirmation is None:
        return Judgement(Verdict.INCONCLUSIVE, f"not proved: {missing or 'no pairs, or none that confirm'}", ratio)
    if confirmation.status is not StepStatus.PASSED:
        evidence = f"{telling.sentence(pairs)} Not confirmed: {telling.sentence(confirmation)}"
        return Judgement(Verdict.INCONCLUSIVE, evidence, ratio)
    return Judgement(Verdict.VERIFIED, telling.proved(steps, pairs, confirmation), ratio)


def _decisive(steps: Sequence[Step]) -> Step | None:
    """The step that settles the verdict alone: a wrong result first, then a failure, then the first that did not pass.

    A confirmation that does not confirm is not among the last: it leaves open what the first pairs claimed.
    """
    for verdict in (Verdict.WRONG_RESULT, Verdict.FAILED):
        found = next((step for step in steps if step.verdict is verdict), None)
        if found is not None:
            return found
    return next((step for step in steps if step.name is not StepName.CONFIRMATION and not step.passed), None)


def _missing(steps: Sequence[Step]) -> str | None:
    """Which of the copies that a proof needs has no equal result, or only ones without a row."""
    if not any(step.name is StepName.SCREENING and step.status is StepStatus.PASSED for step in steps):
        return "it was not screened"
    passed = [step for step in steps if step.name is StepName.EQUALITY and step.status is StepStatus.PASSED]
    equal = {step.data_copy for step in passed}
    with_rows = {step.data_copy for step in passed if not step.empty}
    for copy in (DataCopy.CLONE, DataCopy.SECOND):
        if copy.value not in equal:
            return f"no result was compared on the copy {copy.value}"
    if DataCopy.CLONE in with_rows and DataCopy.SECOND not in with_rows:
        return "on the copy second the original gives no row, so nothing was compared there"
    mutated = {copy.value for copy in MUTATED}
    if not equal & mutated:
        return "the original fails on every mutated copy, so no result could be compared there"
    if not with_rows & mutated:
        return "on every mutated copy the original gives no row, so nothing was compared there"
    return None

"""From steps to verdicts: what is claimed, and above all what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analyzer.proof.judging import Compared, judge, judge_equality, judge_pairs
from analyzer.proof.planning import MUTATED, DataCopy
from analyzer.proof.steps import Step, StepName, StepStatus, Verdict
from snipbench.domain.result import Comparison, Equality
from snipbench.domain.run import Failure

SCREENED = Step(StepName.SCREENING, StepStatus.PASSED, "nothing speaks against running it")
EQUAL = Comparison(Equality.EQUAL, "the hashes are equal")


def equality(copy: DataCopy, result: Equality = Equality.EQUAL) -> Step:
    return judge_equality(Compared(copy, "", Comparison(result, "so it is", ("baseline 1, variant 2",))))


def skipped(copy: DataCopy) -> Step:
    return judge_equality(Compared(copy, "", original_failure=Failure("ArithmeticException", "overflow")))


def pairs(ratio: float, count: int = 20, noise: float = 0.01) -> list[tuple[float, float]]:
    return [(ratio * (1 + noise * (number % 5 - 2)), 1.0) for number in range(count)]


def timed(ratio: float, count: int = 20, noise: float = 0.01, name: StepName = StepName.PAIRS) -> Step:
    return judge_pairs(name, pairs(ratio, count, noise))


ALL_EQUAL = [SCREENED, *(equality(copy) for copy in (DataCopy.CLONE, DataCopy.SECOND, DataCopy.MUTATED))]


def whole(first: float = 0.5, second: float = 0.5, equal: Sequence[Step] = ALL_EQUAL) -> list[Step]:
    return [*equal, timed(first), timed(second, name=StepName.CONFIRMATION)]


def test_everything_together_is_verified_with_the_ratio_and_plain_words() -> None:
    judgement = judge(whole(0.5, 0.52))
    assert judgement.verdict is Verdict.VERIFIED
    assert judgement.ratio is not None
    assert judgement.ratio.median == pytest.approx(0.5, rel=0.02)
    assert "clone, second, mutated" in judgement.evidence
    assert "0.50 of the original's time" in judgement.evidence
    assert "confirmed in a fresh session" in judgement.evidence


@pytest.mark.parametrize("missing", range(len(whole())))
def test_nothing_is_verified_with_a_part_missing(missing: int) -> None:
    steps = whole()
    del steps[missing]
    assert judge(steps).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        (timed(0.94), StepStatus.PASSED),
        (timed(0.96), StepStatus.FAILED),
        (timed(0.5, count=19), StepStatus.INCONCLUSIVE),
        (timed(1.0), StepStatus.FAILED),
        (timed(1.5), StepStatus.FAILED),
        (timed(0.9, noise=0.3), StepStatus.INCONCLUSIVE),
        (judge_pairs(StepName.PAIRS, []), StepStatus.INCONCLUSIVE),
    ],
)
def test_pairs_claim_only_what_their_interval_shows(step: Step, verdict: StepStatus) -> None:
    assert step.status is verdict


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (0.5, 0.5, Verdict.VERIFIED),
        (0.5, 0.99, Verdict.INCONCLUSIVE),
        (0.5, 1.4, Verdict.INCONCLUSIVE),
        (0.97, 0.5, Verdict.EQUAL_NOT_FASTER),
        (1.3, 0.5, Verdict.EQUAL_NOT_FASTER),
    ],
)
def test_a_gain_must_be_confirmed(first: float, second: float, verdict: Verdict) -> None:
    assert judge(whole(first, second)).verdict is verdict


@pytest.mark.parametrize("copy", [DataCopy.CLONE, DataCopy.SECOND, *MUTATED, DataCopy.EXTREME, DataCopy.EMPTY])
def test_one_other_result_anywhere_is_a_wrong_result_whatever_the_times_are(copy: DataCopy) -> None:
    judgement = judge([*whole(0.01, 0.01), equality(copy, Equality.DIFFERENT)])
    assert judgement.verdict is Verdict.WRONG_RESULT
    assert copy.value in judgement.evidence
    assert "baseline 1, variant 2" in judgement.evidence


def test_an_ambiguous_result_proves_nothing() -> None:
    assert judge([*whole(), equality(DataCopy.EMPTY, Equality.INCONCLUSIVE)]).verdict is Verdict.INCONCLUSIVE


def test_a_candidate_that_fails_where_the_original_does_not_has_failed() -> None:
    broken = judge_equality(Compared(DataCopy.EMPTY, "n=1", candidate_failure=Failure("ValueError", "no\nrows")))
    judgement = judge([*whole(), broken])
    assert judgement.verdict is Verdict.FAILED
    assert "ValueError: no rows" in judgement.evidence
    assert "empty (n=1)" in judgement.evidence


@pytest.mark.parametrize("copy", [DataCopy.EXTREME, DataCopy.EMPTY])
def test_where_the_original_fails_itself_there_is_nothing_to_compare_and_the_evidence_says_so(copy: DataCopy) -> None:
    judgement = judge(whole(equal=[*ALL_EQUAL, skipped(copy)]))
    assert judgement.verdict is Verdict.VERIFIED
    assert f"Not compared on {copy.value}" in judgement.evidence


@pytest.mark.parametrize("copy", MUTATED[1:])
def test_a_gentler_mutated_copy_will_do_where_the_original_cannot_take_the_strictest(copy: DataCopy) -> None:
    equal = [*ALL_EQUAL[:3], skipped(DataCopy.MUTATED), equality(copy)]
    assert judge(whole(equal=equal)).verdict is Verdict.VERIFIED


def test_without_any_mutated_copy_nothing_is_verified() -> None:
    equal = [*ALL_EQUAL[:3], *(skipped(copy) for copy in MUTATED)]
    assert judge(whole(equal=equal)).verdict is Verdict.INCONCLUSIVE


def bare(copy: DataCopy) -> Step:
    return judge_equality(Compared(copy, "", Comparison(Equality.EQUAL, "so it is", rows=0)))


@pytest.mark.parametrize(
    ("without", "verdict"),
    [
        ({DataCopy.SECOND}, Verdict.INCONCLUSIVE),
        ({DataCopy.MUTATED}, Verdict.INCONCLUSIVE),
        ({DataCopy.CLONE, DataCopy.SECOND, DataCopy.MUTATED}, Verdict.INCONCLUSIVE),
        ({DataCopy.CLONE, DataCopy.SECOND}, Verdict.VERIFIED),
        ({DataCopy.EMPTY}, Verdict.VERIFIED),
    ],
)
def test_results_without_a_row_show_nothing_where_there_should_be_one(without: set[DataCopy], verdict: Verdict) -> None:
    """A search for what should not be there finds nothing on good data; the mutated copies have some."""
    copies = (DataCopy.CLONE, DataCopy.SECOND, DataCopy.MUTATED, DataCopy.EMPTY)
    equal = [SCREENED, *(bare(copy) if copy in without else equality(copy) for copy in copies)]
    judgement = judge(whole(equal=equal))
    assert judgement.verdict is verdict
    assert ("no row" in judgement.evidence.lower()) is (without != {DataCopy.EMPTY})


@pytest.mark.parametrize("copy", [DataCopy.CLONE, DataCopy.SECOND])
def test_an_original_that_fails_on_the_data_itself_leaves_the_proof_open(copy: DataCopy) -> None:
    assert judge([SCREENED, skipped(copy)]).verdict is Verdict.INCONCLUSIVE


def test_a_refused_candidate_has_failed_with_the_reason() -> None:
    refused = Step(StepName.SCREENING, StepStatus.FAILED, "imports os", verdict=Verdict.FAILED)
    judgement = judge([refused])
    assert (judgement.verdict, judgement.ratio) == (Verdict.FAILED, None)
    assert "imports os" in judgement.evidence


def test_a_wrong_result_in_a_timed_pair_decides_before_the_pairs_do() -> None:
    steps = [*ALL_EQUAL, equality(DataCopy.CLONE, Equality.DIFFERENT), timed(0.1)]
    judgement = judge(steps)
    assert judgement.verdict is Verdict.WRONG_RESULT
    assert judgement.ratio is not None


def test_equal_within_the_declared_tolerance_is_equal() -> None:
    step = judge_equality(Compared(DataCopy.CLONE, "", Comparison(Equality.EQUAL_WITHIN_TOLERANCE, "by 1e-12")))
    assert step.passed
    assert judge_equality(Compared(DataCopy.CLONE, "", EQUAL)).passed
    assert not judge_equality(Compared(DataCopy.CLONE, "")).passed

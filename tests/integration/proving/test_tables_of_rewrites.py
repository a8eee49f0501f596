"""Wrong and cheating rewrites are not accepted, right ones are: on real copies of real data, in real sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from analyzer.proof.judging import Compared, judge, judge_equality
from analyzer.proof.planning import MUTATED, DataCopy, Side
from analyzer.proof.screening import refusals
from analyzer.proof.steps import Step, StepStatus, Verdict
from executor.proving import WrittenResult
from snipbench.domain.order import Kind, Snippet
from tests.integration.proving.conftest import Arena
from tests.integration.proving.rewrites import INPUTS, ORIGINALS, RIGHT, WRONG, Rewrite

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.sandbox, pytest.mark.timeout(600)]
COPIES = (DataCopy.CLONE, *MUTATED, DataCopy.EXTREME, DataCopy.EMPTY, DataCopy.SECOND)
SIDES: tuple[Side, Side] = ("original", "candidate")


def snippet(name: str, kind: str, code: str, original: str) -> Snippet:
    query, returns = INPUTS.get(original.partition(":")[2], (None, None))
    takes = Kind(kind).is_udf or kind == "function"
    return Snippet(
        name=name,
        kind=kind,
        code=code,
        template="t",
        input=query if takes else None,
        returns=returns if Kind(kind).is_udf else None,
        allow_all_null=True,
    )


ORIGINAL_SNIPPETS = {name: snippet("original", kind, code, name) for name, (kind, code) in ORIGINALS.items()}


@dataclass
class Course:
    """One rewrite on its way over the copies."""

    rewrite: Rewrite
    steps: list[Step] = field(default_factory=list)

    @property
    def candidate(self) -> Snippet:
        return snippet("candidate", self.rewrite.kind, self.rewrite.code, self.rewrite.original)

    @property
    def open(self) -> bool:
        return all(step.passed for step in self.steps)


@pytest.fixture(scope="module")
def courses(arena: Arena) -> dict[str, Course]:
    """Every rewrite compared with its original on each copy, until it is found out.

    An original's result on a copy serves all its rewrites, and both sessions write: nothing is timed here.
    """
    found = {rewrite.name: Course(rewrite) for rewrite in (*WRONG, *RIGHT)}
    taken: set[str] = set()
    for copy in COPIES:
        left = [course for course in found.values() if course.open]
        if copy in MUTATED[1:]:
            left = [course for course in left if course.rewrite.original not in taken]
        if not left:
            continue
        arena.copies.show(copy)
        names = list(dict.fromkeys(course.rewrite.original for course in left))
        originals = dict(zip(names, _written(arena, [ORIGINAL_SNIPPETS[name] for name in names]), strict=True))
        good = [course for course in left if originals[course.rewrite.original].failure is None]
        candidates = {
            course.rewrite.name: result
            for course, result in zip(good, _written(arena, [course.candidate for course in good]), strict=True)
        }
        for course in left:
            original, candidate = originals[course.rewrite.original], candidates.get(course.rewrite.name)
            course.steps.append(_judged(arena, copy, original, candidate))
        if copy is MUTATED[0]:
            taken = {name for name, result in originals.items() if result.failure is None}
        arena.duel.discard(*originals.values(), *candidates.values())
    return found


def _written(arena: Arena, snippets: list[Snippet]) -> list[WrittenResult]:
    """Results of the snippets, half of them by each session."""
    results: dict[int, WrittenResult] = {}

    def write(side: Side) -> None:
        for number in range(SIDES.index(side), len(snippets), 2):
            arena.duel.snippets[side] = snippets[number]
            results[number] = arena.duel.write(side, ())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, SIDES))
    return [results[number] for number in range(len(snippets))]


def _judged(arena: Arena, copy: DataCopy, original: WrittenResult, candidate: WrittenResult | None) -> Step:
    if original.failure is not None or candidate is None:
        return judge_equality(Compared(copy, "", original_failure=original.failure))
    if candidate.failure is not None:
        return judge_equality(Compared(copy, "", candidate_failure=candidate.failure))
    return judge_equality(Compared(copy, "", arena.judge.judge(original, candidate, 1e-9, original.sort_keys)))


@pytest.mark.parametrize("name", [rewrite.name for rewrite in WRONG])
def test_a_wrong_or_cheating_rewrite_is_not_accepted(courses: dict[str, Course], name: str) -> None:
    """And not by accident: what was meant to give it away did."""
    course = courses[name]
    assert course.rewrite.caught in course.steps[-1].detail, [step.detail for step in course.steps]
    assert judge(course.steps).verdict in {Verdict.WRONG_RESULT, Verdict.FAILED}


def test_most_wrong_rewrites_give_the_right_result_on_the_data_that_is_there(courses: dict[str, Course]) -> None:
    shown = [courses[rewrite.name].steps[0] for rewrite in WRONG]
    assert sum(step.passed for step in shown) >= 15, [step.detail for step in shown if not step.passed]


@pytest.mark.parametrize("name", [rewrite.name for rewrite in RIGHT])
def test_a_right_rewrite_is_judged_equal(courses: dict[str, Course], name: str) -> None:
    course = courses[name]
    assert course.open, course.steps[-1].detail
    equal = {step.data_copy for step in course.steps if step.status is StepStatus.PASSED}
    assert {"clone", "second"} <= equal
    assert equal & {copy.value for copy in MUTATED}
    assert refusals(ORIGINAL_SNIPPETS[course.rewrite.original], course.candidate) == ()

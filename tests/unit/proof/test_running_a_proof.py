"""How a proof is run: what is shown to whom, when sessions rest, what ends it. Sessions and data are played here;
``tests/integration/proving`` has real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from analyzer.proof.planning import MUTATED, DataCopy
from analyzer.proof.steps import StepName, StepStatus, Verdict
from executor.calls import SessionFacts
from snipbench.errors import SessionLost
from tests.unit.proof.played import POINT, Played, Stage, World, honest


def test_an_honest_faster_candidate_is_verified_on_all_copies_with_twenty_pairs_twice(stage: Stage) -> None:
    verdict, steps = stage.prove(honest)
    assert verdict is Verdict.VERIFIED
    assert [step.data_copy for step in steps if step.name is StepName.EQUALITY][:6] == [
        "clone",
        "clone",
        "second",
        "mutated",
        "extreme",
        "empty",
    ]
    timed = [step for step in steps if step.name in {StepName.PAIRS, StepName.CONFIRMATION}]
    assert [len(step.pairs) for step in timed] == [20, 20]
    assert timed[0].ratio is not None
    assert timed[0].ratio.median == pytest.approx(0.49 / 0.99), "what loading takes is taken off both sides"
    assert stage.world.changes == 40, "the data changed before every pair"
    assert all(step.started_at and step.ended_at for step in steps[1:])


def test_only_the_pairs_are_timed(stage: Stage) -> None:
    """Warm-ups are made by both sides at once, so a time of theirs would mean nothing."""
    stage.prove(honest)
    assert stage.world.log.count("time original") == stage.world.log.count("time candidate") == 2 * 20


@pytest.mark.parametrize("copy", [copy.value for copy in DataCopy if copy not in MUTATED[1:]])
def test_a_candidate_that_is_wrong_on_one_copy_is_found_out(stage: Stage, copy: str) -> None:
    verdict, _ = stage.prove(lambda world: "other" if world.data == copy else world.truth)
    assert verdict is Verdict.WRONG_RESULT


def test_an_answer_kept_from_the_first_run_is_found_out(stage: Stage) -> None:
    kept: list[str] = []

    def keeping(world: World) -> str:
        kept.append(world.truth)
        return kept[0]

    assert stage.prove(keeping)[0] is Verdict.WRONG_RESULT


def test_an_answer_kept_by_the_copy_it_belongs_to_is_found_out_while_it_is_timed(stage: Stage) -> None:
    kept: dict[str, str] = {}
    verdict, steps = stage.prove(lambda world: kept.setdefault(f"{world.data} {world.parameters}", world.truth))
    assert verdict is Verdict.WRONG_RESULT
    assert any("in a timed pair" in step.detail and not step.passed for step in steps)


def test_results_of_five_timed_pairs_of_each_session_are_compared_and_the_steps_say_so(stage: Stage) -> None:
    _, steps = stage.prove(honest)
    assert sum("in a timed pair: the same result on clone" in step.detail for step in steps) == 10
    assert sum("between two timed pairs: the same result" in step.detail for step in steps) == 4


def test_where_neither_has_a_row_nothing_was_compared(stage: Stage) -> None:
    """A filter that only rows of the clone get through: what is wrong with NULLs or ties would not show elsewhere."""
    stage.world.bare = {"second", "mutated"}
    verdict, steps = stage.prove(honest)
    assert verdict is Verdict.INCONCLUSIVE
    assert {step.data_copy for step in steps if step.empty} == {"second", "mutated"}
    shown = dict.fromkeys(step.data_copy for step in steps if step.name is StepName.EQUALITY)
    assert {copy.value for copy in MUTATED} <= set(shown), "a gentler copy may have a row"
    assert not any(step.data_copy in stage.world.bare for step in steps if "between two" in step.detail)


def test_a_gentler_mutated_copy_with_a_row_will_do(stage: Stage) -> None:
    stage.world.bare = {"mutated", "mutated_values"}
    assert stage.prove(honest)[0] is Verdict.VERIFIED


def test_an_answer_kept_once_it_stopped_changing_is_found_out_on_a_copy_shown_in_between(stage: Stage) -> None:
    """Rows that go between the pairs do not change every result. How often it is asked tells a candidate the phase."""
    answers: list[str] = []

    def keeping(world: World) -> str:
        known = len(answers) > 3 and len(set(answers[-4:])) == 1
        answers.append(answers[-1] if known else world.data)
        return answers[-1]

    verdict, steps = stage.prove(keeping, lambda world: world.data)
    assert verdict is Verdict.WRONG_RESULT
    assert any("between two timed pairs" in step.detail for step in steps)
    assert stage.world.log.count("show clone") >= 2, "the pairs go on with the clone"


def test_a_parameter_s_value_written_into_the_code_is_found_out(stage: Stage) -> None:
    verdict, steps = stage.prove(lambda world: world.truth.replace("875", "1000"))
    assert verdict is Verdict.WRONG_RESULT
    assert "rows=875" in steps[-1].detail


def test_an_original_that_refuses_parameters_that_the_order_does_not_have_is_proved_at_the_others(stage: Stage) -> None:
    def original(world: World) -> str:
        if world.parameters != POINT:
            raise ValueError("no such point")
        return world.truth

    verdict, steps = stage.prove(honest, original)
    assert verdict is Verdict.VERIFIED
    assert [step.status for step in steps if "rows=875" in step.detail] == [StepStatus.SKIPPED]


@pytest.mark.parametrize("failing", MUTATED[:-1])
def test_gentler_mutated_copies_are_taken_where_the_original_fails(stage: Stage, failing: DataCopy) -> None:
    harder = [copy.value for copy in MUTATED[: MUTATED.index(failing) + 1]]

    def original(world: World) -> str:
        if world.data in harder:
            raise ValueError("cannot take it")
        return world.truth

    verdict, steps = stage.prove(honest, original)
    assert verdict is Verdict.VERIFIED
    shown = dict.fromkeys(step.data_copy for step in steps if step.name is StepName.EQUALITY)
    assert [copy.value for copy in MUTATED] == [copy for copy in shown if str(copy).startswith("mutated")]


def test_a_candidate_that_fails_has_failed_and_a_killed_session_is_a_failure(stage: Stage) -> None:
    def fails(world: World) -> str:
        if world.data == "empty":
            raise ValueError("no rows")
        return world.truth

    def dies(world: World) -> str:
        if world.data == "second":
            raise SessionLost("it was killed")
        return world.truth

    assert stage.prove(fails)[0] is Verdict.FAILED
    assert stage.prove(dies)[0] is Verdict.FAILED


def test_a_candidate_that_fails_only_while_it_is_timed_has_failed(stage: Stage) -> None:
    def fails(world: World) -> str:
        if world.changes > 5:
            raise ValueError("enough")
        return world.truth

    verdict, steps = stage.prove(fails)
    assert verdict is Verdict.FAILED
    assert "enough" in steps[-1].detail


@pytest.mark.parametrize(
    ("seconds", "verdict", "steps"),
    [
        ((1.0,), Verdict.EQUAL_NOT_FASTER, 1),
        ((2.0,), Verdict.EQUAL_NOT_FASTER, 1),
        ((0.5, 1.0), Verdict.INCONCLUSIVE, 2),
    ],
)
def test_what_is_not_faster_is_not_confirmed_and_what_is_not_confirmed_is_open(
    stage: Stage, seconds: Sequence[float], verdict: Verdict, steps: int
) -> None:
    found, made = stage.prove(honest, seconds=seconds)
    assert found is verdict
    assert sum(step.name in {StepName.PAIRS, StepName.CONFIRMATION} for step in made) == steps


def test_views_that_spark_keeps_are_made_anew_for_every_copy_and_parameters_vary_instead_of_rows(stage: Stage) -> None:
    verdict, _ = stage.prove(honest, cached=True)
    assert verdict is Verdict.VERIFIED
    assert stage.world.changes == 0
    prepared = [line for line in stage.world.log if line.startswith("prepare original")]
    second = prepared.index(prepared[0], 1)
    for session in (prepared[:second], prepared[second:]):
        assert len(session) == len(set(session)) > 4, "a name per copy"


@pytest.mark.parametrize("point", [(("rows", 3),), (("another", 1000),), (("rows", True),), ()])
def test_views_that_spark_keeps_are_made_anew_for_every_pair_where_no_parameter_can_vary(
    stage: Stage, point: Any
) -> None:
    assert stage.prove(honest, cached=True, points=(point,))[0] is Verdict.VERIFIED
    assert stage.world.changes == 40
    assert sum(line.startswith("prepare candidate") for line in stage.world.log) > 40


@pytest.mark.parametrize("cached", [False, True])
def test_where_no_row_can_go_parameters_vary(stage: Stage, cached: bool) -> None:
    stage.world.few = True
    met: list[Any] = []

    def noting(world: World) -> str:
        met.append(world.parameters)
        return world.truth

    assert stage.prove(noting, cached=cached)[0] is Verdict.VERIFIED
    assert len(set(met)) > 20, "a value for every pair"


@pytest.mark.parametrize("cached", [False, True])
def test_where_nothing_can_change_between_pairs_nothing_is_proved(stage: Stage, cached: bool) -> None:
    stage.world.few = True
    verdict, steps = stage.prove(honest, cached=cached, points=((("rows", 3),),))
    assert verdict is Verdict.INCONCLUSIVE
    assert steps[-1].detail.startswith("nothing could be changed between the pairs")


def test_a_session_that_does_not_start_leaves_the_proof_open(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Played) -> SessionFacts:
        raise SessionLost("no memory")

    monkeypatch.setattr(Played, "start", refuse)
    verdict, steps = stage.prove(honest)
    assert verdict is Verdict.INCONCLUSIVE
    assert "no memory" in steps[-1].detail

"""The plan of a proof."""

from __future__ import annotations

import pytest

from analyzer.proof.judging import LEAST_PAIRS
from analyzer.proof.planning import MAX_POINTS, PAIRS, pair_order, plan_proof, unseen_points
from snipbench.domain.order import Scalar

POINTS = tuple((("n", number),) for number in range(9))


def test_the_same_subject_has_the_same_plan_and_another_has_another() -> None:
    assert plan_proof(POINTS, seed=7, subject="a") == plan_proof(POINTS, seed=7, subject="a")
    orders = {plan_proof(POINTS, seed=seed, subject=subject).first_pairs for seed in (7, 8) for subject in ("a", "b")}
    assert len(orders) == 4


def test_there_are_enough_pairs_to_claim_something_in_both_sessions_in_orders_of_their_own() -> None:
    plan = plan_proof(POINTS, seed=7, subject="a")
    assert len(plan.first_pairs) == len(plan.second_pairs) == PAIRS >= LEAST_PAIRS
    assert plan.first_pairs != plan.second_pairs


@pytest.mark.parametrize("pairs", [1, 2, 20, 21])
def test_each_side_goes_first_in_half_of_the_pairs(pairs: int) -> None:
    order = pair_order(pairs, "seed")
    assert abs(order.count("original") - order.count("candidate")) <= 1


def test_the_costliest_points_are_compared_and_the_first_is_timed() -> None:
    plan = plan_proof(POINTS, seed=7, subject="a")
    assert plan.timed == POINTS[0]
    assert plan.points == POINTS[:MAX_POINTS]


def test_a_proof_without_a_point_is_refused() -> None:
    with pytest.raises(ValueError, match="parameter point"):
        plan_proof((), seed=7, subject="a")


@pytest.mark.parametrize(
    ("value", "other"),
    [
        *((30_000, 26_250), (-16, -14), (0, 2), (2, 1), (0.05, 0.04375), (True, False)),
        *(("1995-03-15", "1995-02-06"), ("1995-03-15 12:00:00", "1995-02-06 12:00:00")),
        *(("1995-03-15T12:00:00+01:00", "1995-02-06T12:00:00+01:00"), ("A", "Ax"), ("1995-03", "1995-03x")),
    ],
)
def test_results_are_compared_at_a_point_that_the_order_does_not_have(value: Scalar, other: Scalar) -> None:
    expected = other if isinstance(other, str) else pytest.approx(other)
    assert unseen_points([(("most", value),)], "select :most") == ((("most", expected),),)


def test_the_unseen_point_is_none_of_the_order_s_and_varies_what_the_original_names() -> None:
    points = [(("most", number), ("other", 5)) for number in (8, 7, 6, 2)]
    assert unseen_points(points, "where a < :most") == ((("most", 5), ("other", 5)),)
    assert unseen_points(points, "where a < :mostly") == ()
    assert unseen_points([()], "select 1") == ()


def test_texts_differ_at_a_point_of_their_own_since_an_original_may_refuse_them() -> None:
    points = [(("most", 8), ("flag", flag)) for flag in ("A", "Ax")]
    assert unseen_points(points, "where a < :most and b = :flag") == (
        (("most", 7), ("flag", "A")),
        (("most", 8), ("flag", "Axx")),
    )

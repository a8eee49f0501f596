"""The plan of a proof."""

from __future__ import annotations

import pytest

from analyzer.proof.judging import LEAST_PAIRS
from analyzer.proof.planning import MAX_POINTS, PAIRS, pair_order, plan_proof

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

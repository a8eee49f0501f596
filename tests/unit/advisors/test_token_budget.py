"""The budget of an order's advisors."""

from __future__ import annotations

import pytest

from analyzer.advisors.budget import TokenBudget
from snipbench.errors import BudgetSpent


def test_a_reservation_that_does_not_fit_is_refused_and_leaves_nothing_behind() -> None:
    budget = TokenBudget(100)
    budget.reserve(60)
    with pytest.raises(BudgetSpent) as caught:
        budget.reserve(41)
    assert (caught.value.needed, caught.value.left, budget.left) == (41, 40, 40)


def test_what_was_not_used_is_given_back() -> None:
    budget = TokenBudget(100)
    assert budget.reserve(60).settle(10) == 10
    assert (budget.spent, budget.left) == (10, 90)


def test_an_unknown_use_counts_in_full() -> None:
    budget = TokenBudget(100)
    assert budget.reserve(60).settle(None) == 60
    assert budget.left == 40


def test_settling_twice_counts_once() -> None:
    budget = TokenBudget(100)
    reservation = budget.reserve(60)
    reservation.settle(50)
    reservation.settle(50)
    assert (budget.spent, budget.left) == (50, 50)


def test_an_endpoint_that_took_more_than_it_was_allowed_leaves_nothing() -> None:
    budget = TokenBudget(100)
    budget.reserve(60).settle(1_000)
    assert (budget.spent, budget.left) == (1_000, 0)


def test_what_was_spent_before_counts() -> None:
    budget = TokenBudget(100, spent=80)
    assert (budget.spent, budget.left) == (80, 20)
    with pytest.raises(BudgetSpent):
        budget.reserve(21)
    assert TokenBudget(100, spent=120).left == 0

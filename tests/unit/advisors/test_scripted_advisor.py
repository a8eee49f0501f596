"""Answers from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.port import Brief
from analyzer.advisors.scripted import read_script
from snipbench.domain.order import Kind
from snipbench.errors import AdviceFailed, BudgetSpent, UsageError

ROW = Brief("t", "exchange", "row", Kind.PYTHON_UDF, "def run(x): return x")
OTHER = Brief("t", "queries", "revenue", Kind.SQL, "select 1")

SCRIPT = """
exchange/row:
  - {potential: high, suggestions: [first], kind: sql, code: select 1, tokens: 10}
  - {suggestions: [second]}
"*": {error: timeout, tokens: 5}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "script.yaml"
    path.write_text(text)
    return path


def test_answers_are_given_in_turn_and_the_last_one_for_ever(tmp_path: Path) -> None:
    advisor = read_script(written(tmp_path, SCRIPT))
    budget = TokenBudget(100)
    given = [advisor.advise(ROW, budget).suggestions for _ in range(3)]
    assert given == [("first",), ("second",), ("second",)]
    assert budget.spent == 10


def test_code_comes_with_its_kind(tmp_path: Path) -> None:
    advice = read_script(written(tmp_path, SCRIPT)).advise(ROW, TokenBudget())
    assert (advice.code, advice.kind, advice.model) == ("select 1", Kind.SQL, "script.yaml")


def test_a_failure_can_be_scripted(tmp_path: Path) -> None:
    with pytest.raises(AdviceFailed) as caught:
        read_script(written(tmp_path, SCRIPT)).advise(OTHER, TokenBudget())
    assert (caught.value.reason, caught.value.tokens) == ("timeout", 5)


def test_the_budget_holds_here_too(tmp_path: Path) -> None:
    with pytest.raises(BudgetSpent):
        read_script(written(tmp_path, SCRIPT)).advise(ROW, TokenBudget(9))


def test_a_snippet_that_the_script_does_not_know_has_no_advice(tmp_path: Path) -> None:
    with pytest.raises(AdviceFailed, match="no answer to queries/revenue"):
        read_script(written(tmp_path, '{"exchange/row": {"potential": "low"}}')).advise(OTHER, TokenBudget())


@pytest.mark.parametrize(
    "text", ["[1]", "a: {potential: huge}", "a: {unknown: 1}", "a: [", "a: {estimated_reduction: 2}"]
)
def test_a_broken_script_is_wrong_use(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="is no advisor's script"):
        read_script(written(tmp_path, text))

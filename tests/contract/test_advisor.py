"""What every advisor keeps to: rules, scripted answers, and a language model behind a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.choosing import AdvisorSettings, choose_advisor
from analyzer.advisors.port import Advisor, Brief, Potential
from snipbench.domain.order import Kind
from snipbench.errors import AdviceFailed
from tests.servers.openai_server import GOOD, answers, hangs, serving

BRIEF = Brief(
    "task-1",
    "exchange",
    "row",
    Kind.PYTHON_UDF,
    "def run(x):\n    return x + 1.0\n",
    input="select cast(l_quantity as double) from lineitem",
    returns="double",
)
STRANGE = [
    Brief("t", "e", "s", Kind.SQL, ""),
    Brief("t", "e", "s", Kind.FUNCTION, "def run(:"),
    Brief("t", "e", "s", Kind.PYTHON_UDF, "\x00\ud800", input="((", returns="no type"),
    Brief("t", "e", "s", Kind.PANDAS_UDF, "x = " + "(" * 500, input="select 1", returns="int"),
    Brief("t", "e", "s", Kind.DATAFRAME, "def run(spark):\n    return 1\n" * 500),
    Brief("t", "e", "s", Kind.BARRIER, "def run(context, rows): ...", input="select 1", returns="a int"),
]

Make = Callable[[], Advisor]


@pytest.fixture(params=["rules", "scripted", "llm"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """An advisor that has an answer."""
    script = tmp_path / "script.yaml"
    script.write_text("'*': {potential: high, suggestions: [do], kind: sql, code: select 1}\n")
    with serving() as server:
        server.behave(answers(GOOD))
        environment = {
            "OPENAI_BASE_URL": server.url,
            "SNIPBENCH_ADVISOR_MODEL": "m",
            "SNIPBENCH_ADVISOR_SCRIPT": str(script),
        }
        yield lambda: choose_advisor(request.param, environment).advisor


def test_an_answer_is_whole(make: Make) -> None:
    advisor = make()
    budget = TokenBudget(50_000)
    advice = advisor.advise(BRIEF, budget)
    assert advice.advisor == advisor.name
    assert advice.potential in Potential
    assert advice.suggestions
    assert advice.code
    assert advice.kind is Kind.SQL
    assert advice.usage.tokens == budget.spent
    assert budget.left == budget.limit - budget.spent


@pytest.mark.parametrize("brief", STRANGE, ids=lambda brief: brief.kind.value)
def test_a_strange_snippet_gets_advice_or_a_plain_failure(make: Make, brief: Brief) -> None:
    budget = TokenBudget(50_000)
    failed_tokens = None
    has_code = has_kind = False
    try:
        advice = make().advise(brief, budget)
        has_code, has_kind = advice.code is not None, advice.kind is not None
    except AdviceFailed as failed:
        failed_tokens = failed.tokens
    assert has_code == has_kind
    assert failed_tokens in (None, budget.spent)
    assert budget.spent <= budget.limit


def test_the_same_question_can_be_asked_again(make: Make) -> None:
    advisor = make()
    first, second = (advisor.advise(BRIEF, TokenBudget(50_000)) for _ in range(2))
    assert (first.code, first.kind, first.suggestions) == (second.code, second.kind, second.suggestions)


def test_a_budget_of_nothing_is_kept(make: Make) -> None:
    budget = TokenBudget(0)
    reason = None
    try:
        make().advise(BRIEF, budget)
    except AdviceFailed as failed:
        reason = failed.reason
    assert budget.spent == 0
    assert reason in (None, "budget")


def test_a_failure_says_whether_asking_again_can_help() -> None:
    with serving() as server:
        server.behave(hangs)
        settings = AdvisorSettings(base_url=server.url, model="m", timeout_seconds=0.3)
        advisor = choose_advisor("llm", {}, settings=settings).advisor
        with pytest.raises(AdviceFailed) as caught:
            advisor.advise(BRIEF, TokenBudget())
    assert caught.value.retryable

"""Which advisor an order gets, and that a fall-back is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.choosing import AdvisorSettings, choose_advisor
from analyzer.advisors.port import Brief
from snipbench.domain.order import Kind
from snipbench.errors import UsageError


def test_without_an_endpoint_the_advisor_is_rules_and_it_says_so() -> None:
    chosen = choose_advisor("llm", {"SNIPBENCH_ADVISOR_MODEL": "m"})
    assert (chosen.advisor.name, chosen.asked) == ("rules", "llm")
    assert chosen.fallback is not None
    assert "OPENAI_BASE_URL" in chosen.fallback


def test_without_a_model_the_advisor_is_rules_and_it_says_so() -> None:
    chosen = choose_advisor("llm", {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert chosen.advisor.name == "rules"
    assert "SNIPBENCH_ADVISOR_MODEL" in (chosen.fallback or "")


@pytest.mark.parametrize("place", [{"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, {"OPENAI_API_KEY": "sk-1234567"}])
def test_with_endpoint_and_model_it_is_llm(place: dict[str, str]) -> None:
    chosen = choose_advisor("llm", {"SNIPBENCH_ADVISOR_MODEL": "m", **place})
    assert (chosen.advisor.name, chosen.fallback) == ("llm", None)


def test_settings_go_before_the_environment(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-from-a-file\n")
    settings = AdvisorSettings(base_url="http://127.0.0.1:9/v1", api_key_file=key, model="m")
    assert choose_advisor("llm", {}, settings=settings).advisor.name == "llm"


def test_a_secret_file_that_cannot_be_read_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY_FILE"):
        choose_advisor("llm", {"OPENAI_API_KEY_FILE": str(tmp_path / "none"), "SNIPBENCH_ADVISOR_MODEL": "m"})


def test_rules_were_asked_for_so_there_is_no_fallback() -> None:
    assert choose_advisor("rules", {}).fallback is None


def test_an_unknown_advisor_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="rules, llm or scripted"):
        choose_advisor("oracle", {})


def test_scripted_needs_a_file() -> None:
    with pytest.raises(UsageError, match="SNIPBENCH_ADVISOR_SCRIPT"):
        choose_advisor("scripted", {})


def test_scripted_reads_the_file_that_the_environment_names(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("'*': {potential: low, suggestions: [nothing to do]}\n")
    advisor = choose_advisor("scripted", {"SNIPBENCH_ADVISOR_SCRIPT": str(script)}).advisor
    advice = advisor.advise(Brief("t", "e", "s", Kind.SQL, "select 1"), TokenBudget())
    assert advice.suggestions == ("nothing to do",)

"""What the report tells of suggestions: the change, the verdict, the pairs, the estimate beside the measurement."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.report.diffs import unified
from tests.servers.chromium import Browser

CARDS = """[...document.querySelectorAll('.suggestion')].map(card => ({
  name: card.querySelector('h3').firstChild.textContent.trim(),
  badge: card.querySelector('.badge').textContent,
  text: card.textContent,
  added: [...card.querySelectorAll('.diff .added')].map(line => line.textContent),
  removed: [...card.querySelectorAll('.diff .removed')].map(line => line.textContent),
  pairs: [...card.querySelectorAll('.ratios .row')].map(row => row.querySelectorAll('circle').length),
  bars: [...card.querySelectorAll('.bars .row .value')].map(value => value.innerText),
}))"""


@pytest.fixture
def cards(browser: Browser, shown: Any) -> dict[str, Any]:
    browser.open(shown.page.as_uri(), width=1280)
    return {card["name"]: card for card in browser.evaluate(CARDS)}


@pytest.mark.browser
def test_every_suggestion_has_its_verdict_in_words(cards: dict[str, Any]) -> None:
    assert {name: card["badge"] for name, card in cards.items()} == {
        "exchange/row": "verified: same result, faster",
        "exchange/pandas": "same result, not faster",
        "exchange/arrow": "wrong result",
        "exchange/arrow-row": "inconclusive",
        "exchange/native": "not proved",
    }
    assert "only in the original" in cards["exchange/arrow"]["text"]
    assert "Advice in words only" in cards["exchange/native"]["text"]
    assert [name for name, card in cards.items() if "snipbench apply suggestion-" in card["text"]] == ["exchange/row"]
    assert "NULLs, duplicates, ties" in cards["exchange/row"]["text"], "what a copy of the data holds"


@pytest.mark.browser
def test_a_rewrite_is_shown_as_a_difference_with_its_pairs_and_savings(cards: dict[str, Any]) -> None:
    card = cards["exchange/row"]
    assert any(line.startswith("+select quantity + 1") for line in card["added"])
    assert any(line.startswith("-def run(quantity)") for line in card["removed"])
    assert [count for count in card["pairs"] if count] == [24, 24], "a dot for each pair of both sessions"
    estimated, measured = card["bars"]
    assert estimated.startswith("70 %")
    assert measured.startswith(("67 %", "68 %", "69 %", "70 %"))
    for told in ("llm, a-model", "high", "python_udf → sql", "<let the engine add>", "plain text"):
        assert told in card["text"]


@pytest.mark.browser
def test_what_was_not_measured_has_no_figure(cards: dict[str, Any]) -> None:
    assert cards["exchange/arrow"]["pairs"] == []
    assert cards["exchange/native"]["bars"] == []


def test_a_difference_is_escaped() -> None:
    shown = unified("a = '<b>'\nsame\n", "a = '&'\nsame\n", ("original", "rewrite"))
    assert (
        '<span class="removed">-a = &#39;&lt;b&gt;&#39;</span><span class="added">+a = &#39;&amp;&#39;</span>' in shown
    )
    assert '<span class="kept"> same</span>' in shown

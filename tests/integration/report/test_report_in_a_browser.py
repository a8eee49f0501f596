"""The report as a browser shows it: whole, without a network, on any width, in both colour schemes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.chromium import Browser

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")

TOO_WIDE = """[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll, pre') && e.getBoundingClientRect().width > 0
    && e.getBoundingClientRect().right > WIDTH + 1)
  .map(e => e.tagName + '.' + (e.getAttribute('class') || '') + ': ' + e.textContent.slice(0, 40))"""

AXES = """[...document.querySelectorAll('.foot, .timeline > svg')].map(axis =>
  [...axis.querySelectorAll('.tick')].filter(e => getComputedStyle(e).display !== 'none')
    .map(e => { const b = e.getBoundingClientRect(); return [e.textContent, b.left, b.right, b.top, b.bottom] }))"""

# Contrast by WCAG 2 of every text against the nearest background that is painted, both as the browser computed them.
FAINT = """(() => {
  const parts = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = parts(c).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, p = parts(c);
    if (p.length === 3 || p[3] === 1) return c } return 'rgb(255, 255, 255)' };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || ['TITLE', 'STYLE'].includes(e.tagName.toUpperCase())) continue;
    const style = getComputedStyle(e), ink = e.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.add(ink + ' on ' + behind(e) + ': ' + text.slice(0, 30));
  }
  return [...faint];
})()"""


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids=lambda p: f"{p[0]}-{p[1]}")
def opened(request: pytest.FixtureRequest, browser: Browser, shown: Any) -> Browser:
    width, scheme = request.param
    browser.open(shown.page.as_uri(), width=width, scheme=scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    return browser


def test_page_is_whole_calm_and_alone(opened: Browser, shown: Any) -> None:
    assert opened.complaints() == []
    assert opened.requested() == [shown.page.as_uri()]
    sections = opened.evaluate("[...document.querySelectorAll('section')].map(one => one.id)")
    experiments = ["exchange", "queries", "troubled", "tiny", "few"]
    models = ["model-by-wall", "model-of-the-ladder"]
    wanted = ["overview", *experiments, "suggestions", *models, "failures", "environment", "code", "events"]
    assert [one for one in sections if one in wanted] == wanted
    assert set(
        opened.evaluate("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href').slice(1))")
    ) == set(sections)
    assert opened.evaluate("document.querySelectorAll('script, link, img, iframe, [src]').length") == 0
    assert opened.evaluate("[...document.querySelectorAll('[href]')].every(a => a.getAttribute('href')[0] === '#')")


def test_nothing_is_wider_than_the_window(opened: Browser) -> None:
    assert opened.evaluate(TOO_WIDE.replace("WIDTH", str(opened.width))) == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= opened.width


def test_ticks_of_an_axis_differ_and_do_not_touch(opened: Browser) -> None:
    axes = [axis for axis in opened.evaluate(AXES) if axis]
    assert len(axes) > 20
    for ticks in axes:
        texts = [text for text, *_ in ticks]
        assert len(set(texts)) == len(texts) >= 2, texts
        for index, (_, left, right, top, bottom) in enumerate(ticks):
            for other in ticks[index + 1 :]:
                assert right < other[1] or other[2] < left or bottom <= other[3] + 4 or other[4] <= top + 4, texts


def test_every_text_stands_out_from_what_is_behind_it(opened: Browser) -> None:
    assert opened.evaluate(FAINT) == []


def test_texts_of_others_are_shown_as_text(opened: Browser) -> None:
    assert opened.evaluate("document.querySelector('#failures').textContent.includes('<b>not bold</b> & not a link')")
    assert opened.evaluate("document.querySelector('.lead').textContent.includes('<tags> & ampersands')")


def test_first_screen_answers_which_is_faster_by_how_much_and_whether_it_is_equal(browser: Browser, shown: Any) -> None:
    browser.open(shown.page.as_uri(), width=1280)
    row = browser.evaluate(
        "[...document.querySelectorAll('.answers tr')].find(r => r.textContent.includes('max_orderkey=300000'))"
        ".innerText.replaceAll('\\n', ' ')"
    )
    for shown_text in ("native", "× faster than row", "–", "ms", "same result"):
        assert shown_text in row
    bottom = browser.evaluate("document.querySelector('.answers tr:nth-child(8)').getBoundingClientRect().bottom")
    assert bottom < 900

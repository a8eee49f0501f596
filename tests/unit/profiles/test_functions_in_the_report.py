"""The report's section "Functions"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer import words
from analyzer.report import render
from benchmarks.synthetic import write_task
from snipbench.domain.profile import FunctionCost, Profile
from snipbench.domain.run import Failure
from snipbench.records import profile_from_document, profile_to_document
from snipbench.store.sqlite import SqliteStore


def cost(name: str, own: float, calls: int = 1_000, **changes: object) -> FunctionCost:
    made = FunctionCost(
        class_name=None,
        function_name=name,
        source_md5=name,
        source=f"def {name}(x):\n    return x < 1 & 2\n",
        calls=calls,
        uncounted_calls=0,
        total_seconds=2 * own,
        own_seconds=own,
        mean_seconds=own / calls,
        median_seconds=own / calls,
        p95_seconds=2 * own / calls,
        longest_seconds=own,
        observed_calls=0,
        observed_seconds=0.0,
        cpu_seconds=None,
        memory_growth_bytes=None,
        exceptions=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def profile(snippet: str, *functions: FunctionCost, limit: int = 10, failure: Failure | None = None) -> Profile:
    return Profile(
        task_id="task-1",
        slot_id=Profile.identify("exchange", snippet, (("limit", limit),)),
        experiment="exchange",
        snippet=snippet,
        parameters=(("limit", limit),),
        profiled_at="2026-01-31T09:00:00.000000Z",
        seconds=None if failure else 1.0,
        failure=failure,
        functions=functions,
        kept_calls=sum(function.calls for function in functions),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    write_task(opened, "task-1", samples=0)
    yield opened
    opened.close()


def test_a_profile_is_kept_as_it_is() -> None:
    kept = profile("row", cost("run", 1.5), failure=Failure("ValueError", "no", "lines"))
    assert profile_from_document(profile_to_document(kept)) == kept


def test_an_order_without_profiles_has_no_such_section(store: SqliteStore) -> None:
    assert 'id="functions"' not in render(store, "task-1")


def test_own_times_that_overlap_are_told(store: SqliteStore) -> None:
    """A thousand coroutines that wait together wait a thousand times as long as the program runs."""
    waiting = profile("row", cost("wait", 900.0), cost("run", 0.5))
    store.insert("profiles", [profile_to_document(found) for found in (profile("pandas", cost("run", 0.9)), waiting)])
    page = render(store, "task-1")
    assert page.count("wait or run at the same time overlap") == 1
    assert "more than the 1.00 s that all took" in page


def test_functions_are_ranked_by_own_time_with_their_share_in_words(store: SqliteStore) -> None:
    seen = cost("clean", 0.8, calls=40_000, exceptions=3, observed_calls=2, observed_seconds=0.1, cpu_seconds=0.09)
    slow = profile("row", seen, cost("run", 0.2))
    store.insert("profiles", [profile_to_document(found) for found in (profile("pandas", cost("run", 0.1)), slow)])
    page = render(store, "task-1")
    assert page.index("exchange/row") < page.index("exchange/pandas", page.index('id="functions"'))
    told = "clean takes 80% of the functions&#39; time itself: called 40,000 times, 20 µs each; 3 of the calls raised"
    assert told in page
    assert "90 ms of CPU in 100 ms, read in 2 of 40,000 calls" in page
    assert page.index("<code>clean</code>") < page.index("<code>run</code>")
    assert "return x &lt; 1 &amp; 2" in page


def test_what_is_missing_and_what_failed_is_said(store: SqliteStore) -> None:
    found = replace(profile("row", cost("run", 0.2, uncounted_calls=400)), kept_calls=10, lost_calls=5, broken_lines=2)
    failed = profile("pandas", failure=Failure("ValueError", "no <good>\nsecond line"))
    store.insert("profiles", [profile_to_document(made) for made in (found, failed)])
    page = render(store, "task-1")
    for text in (
        "the lake keeps the first 10 of 1,000 calls",
        "400 calls beyond the bound are counted and not timed",
        "5 calls could not be written",
        "2 pieces of calls could not be read",
        "The pass did not end well: ValueError: no &lt;good&gt;",
        "no call was recorded",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (3.1e-7, "0.31 µs"), (12.4e-6, "12 µs"), (0.999e-3, "999 µs"), (0.0042, "4.2 ms")],
)
def test_short_times_are_told_in_microseconds(seconds: float | None, text: str) -> None:
    assert words.brief(seconds) == text

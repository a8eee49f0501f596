"""After each way to misbehave the control snippet gives the same and takes no longer than before.

What is slow for good is told from a machine that is slow for a moment by patience: the control gets several rounds
of ten runs to come back to what it took before, and where that is not enough the same while the other tests wait. In a
new session it must first warm up, too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from snipbench.domain.run import RunStatus
from snipbench.statistics import Interval, median_interval
from tests.side_by_side import alone

from .conftest import CONTROL, ONE_ROW

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(900)]

ROUND = 10
"""Runs of which an interval is made."""
ROUNDS = 12
WIDENED = 1.5
"""By this factor the times may have grown; a session that was left with half a machine would show a factor of 2."""


def times(runner: Any) -> Interval:
    """The median of ten runs of the control, with its interval, in seconds."""
    return median_interval([runner.ok(runner.call("sql", CONTROL)).wall_seconds for _ in range(ROUND)])


@pytest.fixture(scope="module")
def before(usable_runner: Callable[[], Any]) -> Interval:
    """What the control takes before anything here misbehaved, in a session that is warm."""
    runner = usable_runner()
    times(runner)
    return times(runner)


@pytest.fixture
def unharmed(
    usable_runner: Callable[[], Any], control_hash: str, before: Interval
) -> Callable[[Callable[[Any], None]], None]:
    """Call the function given, then run the control, in a new session if the function cost it."""

    def check(misbehave: Callable[[Any], None]) -> None:
        misbehave(usable_runner())
        runner = usable_runner()
        assert runner.hash(runner.call("sql", CONTROL)) == control_hash
        assert before.high is not None
        lows: list[float | None] = []
        for beside in (nullcontext, alone):
            with beside():
                for _ in range(ROUNDS):
                    lows.append(times(runner).low)
                    if lows[-1] is not None and lows[-1] <= before.high * WIDENED:
                        return
        raise AssertionError(f"the control took up to {before.high} s before, afterwards never less than {lows} s")

    return check


@pytest.mark.parametrize(
    ("status", "kind", "code", "fields"),
    [
        (RunStatus.FAILED, "dataframe", "def run(spark):\n    raise ValueError('on purpose')", {}),
        (RunStatus.FAILED, "dataframe", "def run(spark):\n    spark.range(3)", {}),
        (
            RunStatus.FAILED,
            "dataframe",
            "def run(spark):\n    spark.conf.set('spark.sql.codegen.wholeStage', 'false')\n    return spark.range(3)",
            {},
        ),
        (
            RunStatus.FAILED,
            "dataframe",
            "def run(spark):\n    spark.sql('cache table lineitem')\n    return spark.range(3)",
            {},
        ),
        (RunStatus.OK, "function", "def run():\n    for _ in range(1000):\n        print('x' * 1_000_000)", {}),
        (RunStatus.TIMEOUT, "python_udf", "def run(value):\n    while True:\n        pass", ONE_ROW),
        (RunStatus.TIMEOUT, "sql", "select count(*) from range(1000000000000) where id % 3 = 1", {}),
    ],
    ids=["raises", "nothing", "setting", "cache", "gigabyte", "worker-loops", "spark-loops"],
)
def test_a_snippet_that_breaks_a_rule(
    unharmed: Any, status: RunStatus, kind: str, code: str, fields: dict[str, Any]
) -> None:
    def misbehave(runner: Any) -> None:
        seconds = 1.0 if status is RunStatus.TIMEOUT else 60.0
        outcome = runner.run(runner.call(kind, code, **fields), timeout_seconds=seconds)
        assert outcome.status is status
        assert runner.engine.lost is None
        assert outcome.output_bytes >= (10**9 if "print" in code else 0)

    unharmed(misbehave)


def test_stopping_the_session_costs_it(unharmed: Any) -> None:
    def misbehave(runner: Any) -> None:
        outcome = runner.run(runner.call("dataframe", "def run(spark):\n    spark.stop()"))
        assert outcome.status is RunStatus.FAILED
        assert outcome.failure.kind == "StoppedSession"
        assert "stopped" in runner.engine.lost

    unharmed(misbehave)


def test_a_process_that_ends_itself_is_recorded_as_killed(unharmed: Any) -> None:
    def misbehave(runner: Any) -> None:
        outcome = runner.run(runner.call("dataframe", "import os\ndef run(spark):\n    os._exit(7)"))
        assert outcome.status is RunStatus.KILLED
        assert outcome.failure.kind == "SessionLost"
        assert runner.engine.lost

    unharmed(misbehave)


def test_allocating_without_end_ends_at_the_memory_cap(unharmed: Any) -> None:
    code = "def run(value):\n    hoard = []\n    while True:\n        hoard.append(bytearray(50_000_000))"

    def misbehave(runner: Any) -> None:
        outcome = runner.run(runner.call("python_udf", code, **ONE_ROW))
        assert outcome.status is RunStatus.KILLED
        assert "memory" in outcome.failure.message
        assert runner.engine.lost

    unharmed(misbehave)

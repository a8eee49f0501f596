"""What the report says of the cost of watching."""

from __future__ import annotations

from typing import Any

from analyzer.report.watching import watching


def stopped(experiment: str = "exchange", stage: int = 17, **data: Any) -> dict[str, Any]:
    told = {"written": 10, "seconds": 4.0, "cpu_seconds": 0.01, "dropped": 0, "lost": 0, "left": 0, "spooled": 0}
    return {"stage": stage, "experiment": experiment, "data": told | data}


def test_stretches_of_an_experiment_are_added_up() -> None:
    events = [stopped(), stopped("other", written=99), stopped(cpu_seconds=0.03), stopped(stage=18)]
    assert watching(events, "exchange") == (
        "20 samples in 8.00 s; the two threads that read and wrote them used 40 ms of CPU, 0.5 % of a core, "
        "outside of the session"
    )


def test_what_waited_or_was_lost_is_said() -> None:
    said = watching([stopped(dropped=2, lost=1, left=5, spooled=30)], "exchange")
    assert said is not None
    assert said.endswith("; 30 samples waited on disk for the store; 3 samples lost; 5 samples sent later")


def test_a_task_of_before_says_nothing() -> None:
    old = {"stage": 17, "experiment": "exchange", "data": {}}
    assert watching([old], "exchange") is None

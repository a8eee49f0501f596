"""What watching an experiment's measured runs cost, as the monitor told when it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyzer import words
from snipbench.domain.event import WATCHING_MEASURED, Stage


def watching(events: Sequence[dict[str, Any]], experiment: str) -> str | None:
    """A sentence over all stretches of the experiment; ``None`` where nothing was told."""
    told = [
        event["data"]
        for event in events
        if event["stage"] == Stage.MONITORING_STOPPED
        and event["experiment"] == experiment
        and "cpu_seconds" in event["data"]
    ]
    seconds = sum(data["seconds"] for data in told)
    if not seconds:
        return None
    cpu_seconds = sum(data["cpu_seconds"] for data in told)
    samples = sum(data["written"] for data in told)
    lost = sum(data["dropped"] + data["lost"] for data in told)
    full = sum(data.get("overflowed", 0) for data in told)  # tasks of before do not tell it
    waiting = sum(data["left"] for data in told)
    spooled = sum(data["spooled"] for data in told)
    share = f"{cpu_seconds / seconds * 100:.2g} % of a core"
    said = [
        f"{words.several(samples, 'sample')} in {words.duration(seconds)}; the two threads that read and wrote them "
        f"used {words.duration(cpu_seconds)} of CPU, {share}, outside of the session"
    ]
    said += [f"{words.several(spooled, 'sample')} waited on disk for the store"] if spooled else []
    why = f", {full} of them since the disk had no room for them" if full else ""
    said += [f"{words.several(lost, 'sample')} lost{why}"] if lost else []
    said += [f"{words.several(waiting, 'sample')} sent later"] if waiting else []
    return "; ".join([*said, _cost(events, experiment)])


def _cost(events: Sequence[dict[str, Any]], experiment: str) -> str:
    """How much slower it made runs, where pairs with and without it were made."""
    made = [event for event in events if event["name"] == WATCHING_MEASURED and event["experiment"] == experiment]
    if not made:
        return "how much slower it made them was not measured (monitor: {pairs: 20} in the order does)"
    (found, *_) = made
    if not found["data"]:
        return f"how much slower it made them could not be measured ({found['text']})"
    cost = found["data"]
    pairs = f"{cost['pairs']} pairs of {cost['snippet']} watched and unwatched"
    if cost["low"] is None or cost["high"] is None:
        return f"{pairs} are too few for an interval of what it costs"
    return (
        f"by {pairs}, it made runs {cost['median']:.3f} times as long, "
        f"95 % interval {cost['low']:.3f} to {cost['high']:.3f}"
    )

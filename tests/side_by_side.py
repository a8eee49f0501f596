"""Which tests run beside which, where several processes share them (``pytest -n 2``).

A session-wide fixture is made once per process, so the tests of a folder that share a dear one stay together, and so
does what uses the Docker engine: those tests count what is left in it. All else goes file by file. A test marked
``alone``, or the part of one that is :func:`alone`, runs while the other processes wait; files with such tests come
last, when nobody is in a long one.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

TOGETHER = {
    "integration/executor": "integration/executor",
    "integration/report": "integration/report",
    "integration/results": "integration/spark",
    "integration/advisors": "integration/spark",
    "unit/models": "unit/models",
}
"""Folders whose tests share what takes seconds to make, and the name of each group of them."""
LATE = re.compile(r"\bmark\.alone\b|\bimport alone\b")
ENGINE = re.compile(r"\bmark\.(docker|stack)\b")
ORDER = ("e2e", "docker", "integration/executor", "integration/proving", "integration", "contract", "unit", "late")
"""Long ones first, so that short ones fill the gaps at the end; but the images of the stack are made meanwhile."""
ROOT = Path(__file__).parent


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]
    """Hands whole groups to the processes, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: object) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group(ROOT.parent / nodeid.split("::", 1)[0])

    def _reschedule(self, node: WorkerController) -> None:
        """As the base does, but with one test ahead instead of two: a group in hand is one that nobody else begins."""
        if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)


@cache
def group(path: Path) -> str:
    """Name of the tests among which those of this file are."""
    place, text = path.relative_to(ROOT), path.read_text("utf-8")
    if together := TOGETHER.get(place.parent.as_posix()):
        return together
    if LATE.search(text):
        return f"late/{place.as_posix()}"
    return "docker" if ENGINE.search(text) else place.as_posix()


def arrange(items: list[pytest.Item]) -> None:
    """Put them into the order in which they are handed out."""

    def rank(item: pytest.Item) -> int:
        return next(number for number, name in enumerate(ORDER) if group(item.path).startswith(name))

    items.sort(key=rank)


_rooms: list[IO[str]] = []
"""The file whose lock the test under way shares with those of other processes, or has for itself."""


@contextmanager
def turn(item: pytest.Item) -> Iterator[None]:
    """The time in which this test runs: beside those of other processes, or alone. Two files at hand are locked."""
    with (ROOT / "conftest.py").open() as room:
        _enter(room, fcntl.LOCK_SH if item.get_closest_marker("alone") is None else fcntl.LOCK_EX)
        _rooms.append(room)
        try:
            yield
        finally:
            _rooms.remove(room)
            fcntl.flock(room, fcntl.LOCK_UN)  # closing would not do where a forked child has the file open too


@contextmanager
def alone() -> Iterator[None]:
    """A part of the test under way in which those of other processes wait; before it, this one waits for theirs."""
    room = _rooms[-1]
    fcntl.flock(room, fcntl.LOCK_UN)  # two that wait for each other would do so for ever
    _enter(room, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(room, fcntl.LOCK_SH)


def _enter(room: IO[str], how: int) -> None:
    with Path(__file__).open() as door:
        fcntl.flock(door, fcntl.LOCK_EX)  # whoever waits to be alone holds it, so that nobody else comes in
        fcntl.flock(room, how)
        fcntl.flock(door, fcntl.LOCK_UN)

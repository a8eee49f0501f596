"""Which tests run beside which, where several processes share them (``pytest -n 2``).

A session-wide fixture is made once per process, so the tests of a folder that share a dear one stay together, and so
does what uses the Docker engine: those tests count what is left in it. All else goes file by file. A test marked
``alone`` runs while the other processes wait.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("integration/executor", "integration/report", "integration/results", "unit/models")
"""Folders whose tests share what takes seconds to make."""
ENGINE = re.compile(r"\bmark\.(docker|stack)\b")
ORDER = ("e2e", "docker", "integration", "contract", "unit")
"""Long ones first, so that short ones fill the gaps at the end; but the images of the stack are made meanwhile."""
ROOT = Path(__file__).parent


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]
    """Hands whole groups to the processes, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: object) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group(ROOT.parent / nodeid.split("::", 1)[0])


@cache
def group(path: Path) -> str:
    """Name of the tests among which those of this file are."""
    if ENGINE.search(path.read_text("utf-8")):
        return "docker"
    place = path.relative_to(ROOT)
    folder = place.parent.as_posix()
    return folder if folder in TOGETHER else place.as_posix()


def arrange(items: list[pytest.Item]) -> None:
    """Put them into the order in which they are handed out."""
    items.sort(key=lambda item: ORDER.index(group(item.path).split("/")[0]))


@contextmanager
def turn(item: pytest.Item) -> Iterator[None]:
    """The time in which this test runs: beside those of other processes, or alone. Two files at hand are locked."""
    alone = item.get_closest_marker("alone") is not None
    with Path(__file__).open() as door, (ROOT / "conftest.py").open() as room:
        fcntl.flock(door, fcntl.LOCK_EX)  # whoever waits to be alone holds it, so that nobody else comes in
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)  # closing would not do where a forked child has the file open too

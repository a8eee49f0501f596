"""Which tests may run beside which, where two processes share them (``pytest -n 2 --dist loadgroup``).

A session-wide fixture is made once per process, so the tests of a folder that share a dear one stay together, and so
does what uses the Docker engine: those tests count what is left in it. All else goes file by file. A test marked
``alone`` runs while the other processes wait.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOGETHER = ("integration/executor", "integration/report", "integration/results", "unit/models")
"""Folders whose tests share what takes seconds to make."""
ORDER = ("e2e", "integration", "docker", "contract", "unit")
"""Long ones first, so that short ones fill the gaps at the end; the images of the stack are made meanwhile."""
ROOT = Path(__file__).parent


def arrange(items: list[pytest.Item]) -> None:
    """Say of every test with which others it stays, and put them into the order in which they are handed out."""
    engine_users = {item.path for item in items if _uses_engine(item)}
    places = {item: _group(item.path, engine_users) for item in items}
    for item, place in places.items():
        item.add_marker(pytest.mark.xdist_group(place))
    items.sort(key=lambda item: ORDER.index(places[item].split("/")[0]))


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


def _group(path: Path, engine_users: set[Path]) -> str:
    if path in engine_users:
        return "docker"
    place = path.relative_to(ROOT)
    folder = place.parent.as_posix()
    return folder if folder in TOGETHER else place.as_posix()


def _uses_engine(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("docker", "stack"))

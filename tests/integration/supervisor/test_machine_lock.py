"""The lock that lets one measured session run at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from executor.machine_lock import MachineLock
from snipbench.errors import MachineError

HOLDER = """
import sys, time
from pathlib import Path
from executor.machine_lock import MachineLock
lock = MachineLock(Path(sys.argv[1]))
lock.acquire("snipbench run first.yaml")
print("held", flush=True)
time.sleep(600)
"""


class SteppingClock:
    """Acts instead of sleeping."""

    def __init__(self, *actions: object) -> None:
        self._actions = list(actions)
        self.slept = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        action = self._actions.pop(0)
        action()  # type: ignore[operator]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "machine.lock"


def hold(path: Path) -> subprocess.Popen[bytes]:
    """A process that holds the lock."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"held\n"
    return holder


def test_a_free_lock_is_taken_without_waiting(path: Path) -> None:
    waits: list[str] = []
    with MachineLock(path).held("mine", on_wait=waits.append):
        assert waits == []


def test_waiting_shows_the_holder_once_and_ends_when_the_holder_is_killed(path: Path) -> None:
    holder = hold(path)

    def kill() -> None:
        holder.kill()
        holder.wait()

    waits: list[str] = []
    clock = SteppingClock(lambda: None, lambda: None, kill)
    MachineLock(path, clock=clock).acquire("second", on_wait=waits.append)
    assert len(waits) == 1
    assert waits[0].startswith(f"snipbench run first.yaml (process {holder.pid} of ")
    assert clock.slept == pytest.approx(0.6)


def test_a_new_holder_is_shown_too(path: Path) -> None:
    first, second = MachineLock(path, clock=SteppingClock()), MachineLock(path, clock=SteppingClock())
    first.acquire("one")

    def hand_over() -> None:
        first.release()
        second.acquire("two")

    waits: list[str] = []
    third = MachineLock(path, clock=SteppingClock(hand_over, second.release))
    third.acquire("three", on_wait=waits.append)
    assert [wait.split(" (")[0] for wait in waits] == ["one", "two"]
    assert "since 2026-01-02T03:04:05.000000Z" in waits[0]


def test_a_released_lock_can_be_taken_again_by_anyone(path: Path) -> None:
    lock = MachineLock(path)
    lock.acquire("first")
    lock.release()
    lock.release()
    with MachineLock(path).held("second"):
        assert b'"second"' in path.read_bytes()
    lock.acquire("third")
    with pytest.raises(MachineError, match="held by this very object"):
        lock.acquire("fourth")
    lock.release()


def test_an_error_while_it_is_held_releases_it(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), MachineLock(path).held("first"):
        _ = 1 / 0
    waits: list[str] = []
    with MachineLock(path, clock=SteppingClock()).held("second", on_wait=waits.append):
        assert waits == []


def test_other_users_can_use_the_file_whatever_the_umask(path: Path) -> None:
    previous = os.umask(0o077)
    try:
        MachineLock(path).acquire("first")
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o666


def test_a_file_removed_while_it_was_held_is_no_second_lock_for_who_waited(path: Path) -> None:
    holder = MachineLock(path)
    holder.acquire("first")
    path.unlink()
    other = MachineLock(path)
    other.acquire("second")
    third = MachineLock(path, clock=SteppingClock(holder.release, other.release))
    third.acquire("third")
    assert path.read_bytes().count(b'"third"') == 1


def test_what_is_shown_of_the_holder_is_plain_text(path: Path) -> None:
    holder = MachineLock(path)
    holder.acquire("evil \x1b[2J order")
    waits: list[str] = []
    MachineLock(path, clock=SteppingClock(holder.release)).acquire("mine", on_wait=waits.append)
    assert waits[0].startswith("evil ?[2J order")


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"\xff\xfe", b"7"])
def test_a_holder_that_tells_nothing_sensible_is_another_process(path: Path, content: bytes) -> None:
    holder = MachineLock(path)
    holder.acquire("first")
    path.write_bytes(content)
    waits: list[str] = []
    MachineLock(path, clock=SteppingClock(holder.release)).acquire("mine", on_wait=waits.append)
    assert waits == ["another process"]


def test_a_symbolic_link_or_a_directory_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    path.symlink_to(tmp_path / "target")
    with pytest.raises(MachineError, match="cannot be opened"):
        MachineLock(path).acquire("mine")
    path.unlink()
    path.mkdir()
    with pytest.raises(MachineError, match="cannot be opened"):
        MachineLock(path).acquire("mine")
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(MachineError, match="no regular file"):
        MachineLock(path).acquire("mine")

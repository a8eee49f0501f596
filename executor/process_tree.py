"""The descendants of a process: found, measured, ended. Standard library only, and little of it: the keeper loads this.

A process whose parent died belongs to the nearest ancestor that asked for orphans (``PR_SET_CHILD_SUBREAPER``). The
keeper asks, so its descendants are all that the child ever started, daemons with a session of their own included.
"""

from __future__ import annotations

import os
import signal
import time

KIB = 1024
PAUSE_SECONDS = 0.0005
LONGEST_BREATH_SECONDS = 0.1


def parent_of(pid: int) -> int | None:
    """Parent of ``pid``; ``None`` when there is no such process any more."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib is slow to load
            stat = file.read(1024)
    except OSError:
        return None
    return int(stat[stat.rindex(b")") + 2 :].split()[1])


def _is_still(pid: int) -> bool:
    """Whether every thread of ``pid`` is stopped, a zombie, or gone.

    The state of the process is only that of its first thread: which may have stopped, or ended, while others run on.
    """
    return _state(f"/proc/{pid}/stat") in _STILL and all(state in _STILL for state in _thread_states(pid))


def _waits(pid: int) -> bool:
    """Whether a thread of ``pid`` waits where no signal but SIGKILL reaches it: for the child of its ``vfork``, say."""
    return b"D" in _thread_states(pid)


_STILL = (None, b"T", b"t", b"Z", b"X")


def _thread_states(pid: int) -> list[bytes | None]:
    """:func:`_state` of every thread; none if the process is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return []
    return [_state(f"/proc/{pid}/task/{thread}/stat") for thread in threads]


def _state(path: str) -> bytes | None:
    """The letter of a process's or a thread's state; ``None`` if it is gone."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            stat = file.read(1024)
    except OSError:
        return None
    return stat[stat.rindex(b")") + 2 :][:1]


def processes() -> list[int]:
    """Ids of all processes that this one can see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - pathlib is slow to load


def descendants(root: int) -> set[int]:
    """All descendants of ``root`` now, without ``root``; zombies count."""
    tree = Tree(root)
    tree.refresh()
    return tree.members


def labelled(label: str) -> set[int]:
    """Processes of ours whose environment at their start held ``label`` (``NAME=value``)."""
    wanted, found = label.encode(), set()
    for pid in processes():
        try:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123
                if wanted in file.read(2**20).split(b"\0"):
                    found.add(pid)
        except OSError:  # ended, or another user's
            continue
    return found - {os.getpid()}


def kill(pids: set[int]) -> None:
    """SIGKILL to all, each frozen first so that none can fork in between."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        _signal(pids, number)


def pause(root: int, seconds: float) -> bool:
    """Stop all descendants of ``root``. Whether they stand still, within ``seconds``.

    The kernel gives SIGSTOP to one thread of a process, and the others run on until that one takes it. So only the
    state says that a process has stopped, and only a second look that none was woken before its waker stopped. A
    thread in ``vfork`` takes no stop before its child has begun another program or ended: a child that was stopped
    before that goes on, for a little longer each time.
    """
    tree = Tree(root)
    deadline = time.monotonic() + seconds
    looks = 0
    breath = PAUSE_SECONDS
    while looks < 2:
        tree.refresh()
        running = {pid for pid in tree.members if not _is_still(pid)}
        looks = 0 if running else looks + 1
        if running:
            if time.monotonic() > deadline:
                return False
            waiting = {pid for pid in running if _waits(pid)}
            awaited = {pid for pid in tree.members - running if waiting and parent_of(pid) in waiting}
            _signal(running, signal.SIGSTOP)
            if awaited:
                _signal(awaited, signal.SIGCONT)
                breath = min(2 * breath, LONGEST_BREATH_SECONDS)
            time.sleep(breath)
    return True


def resume(root: int) -> None:
    """SIGCONT to all descendants of ``root``."""
    _signal(descendants(root), signal.SIGCONT)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # ended by itself; not ours (a set-user-id program)
            continue


class Tree:
    """The descendants of ``root``, kept up to date cheaply: only processes not seen before are looked at."""

    def __init__(self, root: int) -> None:
        self.members: set[int] = set()
        self._root = root
        self._foreign: set[int] = {0}

    def refresh(self) -> None:
        """Find who came and who went since the last time."""
        present = set(processes())
        self.members &= present
        self._foreign = (self._foreign & present) | {0}
        unknown = {pid: parent_of(pid) for pid in present - self.members - self._foreign - {self._root}}
        settled = True
        while settled:
            settled = False
            for pid, parent in list(unknown.items()):
                # a parent that is neither died meanwhile: the next refresh sees the new one
                if parent == self._root or parent in self.members:
                    self.members.add(pid)
                elif parent in self._foreign:
                    self._foreign.add(pid)
                else:
                    continue
                del unknown[pid]
                settled = True


class TreeMemory:
    """Memory that a tree holds: anonymous and shared memory, and what of it is in swap; no file pages.

    Two measures. ``estimate`` counts what processes share once for each of them (never less than the truth) and costs
    some 15 microseconds a process from kept descriptors. ``exact`` divides shared pages among their users, and costs
    some 20 ms for a large JVM: ask it only when the estimate matters.
    """

    ESTIMATE = "RssAnon + RssShmem + VmSwap"
    EXACT = "Pss_Anon + Pss_Shmem + SwapPss"

    def __init__(self, root: int) -> None:
        self._tree = Tree(root)
        self._status: dict[int, int] = {}

    def estimate(self) -> int:
        """Bytes, not less than the truth."""
        self._tree.refresh()
        for pid in self._status.keys() - self._tree.members:
            os.close(self._status.pop(pid))
        return sum(self._held_by(pid) for pid in self._tree.members)

    def exact(self) -> int | None:
        """Bytes of the processes that the last ``estimate`` found; ``None`` where the kernel does not tell."""
        total = 0
        for pid in self._tree.members:
            try:
                with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as file:  # noqa: PTH123
                    text = file.read(8192)
            except ProcessLookupError:
                continue
            except OSError:
                return None
            figures = _figures(text, (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"))
            if text and len(figures) < 3:
                return None
            total += sum(figures)
        return total

    def _held_by(self, pid: int) -> int:
        try:
            if pid not in self._status:
                self._status[pid] = os.open(f"/proc/{pid}/status", os.O_RDONLY)
            text = os.pread(self._status[pid], 4096, 0)
        except OSError:  # ended; the next refresh drops it
            return 0
        return sum(_figures(text, (b"RssAnon:", b"RssShmem:", b"VmSwap:")))


def _figures(text: bytes, names: tuple[bytes, ...]) -> list[int]:
    """Bytes of the ``Name: 123 kB`` lines asked for that are there (a zombie has none)."""
    found = []
    for name in names:
        start = text.find(b"\n" + name)
        if start >= 0:
            found.append(int(text[start + len(name) + 1 :].split(None, 1)[0]) * KIB)
    return found

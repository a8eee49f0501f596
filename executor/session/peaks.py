"""Peak memory of one run in Python processes, reset before the run (design, rule 5)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

CLEAR_PEAK = "5"
"""Written to ``/proc/PID/clear_refs`` it sets the peak resident set (``VmHWM``) to the current one."""
DAEMONS_VARIABLE = "SNIPBENCH_DAEMONS"
"""Environment variable: the folder in which a session's Python daemons leave a file each, named by their pid."""
SETTLE_SECONDS = 3.0
"""How long a worker may take to tidy up after a run: it collects garbage once its results are sent."""


class PythonMemory:
    """Peak resident sets of the Python processes that take part in a run: Spark's workers, and for a ``function`` the
    session's own process. An idle worker of an earlier run is history and does not count."""

    def __init__(self, daemons: Path, own_pid: int) -> None:
        self._daemons = daemons
        self._own_pid = own_pid
        self._before: dict[int, int | None] = {}
        """Context switches by process at the reset; ``None`` where the peak could not be reset."""

    def reset(self, *, own_process: bool) -> None:
        """Reset all peaks. ``own_process``: whether this process takes part.

        Waits a little for workers that still tidy up after the run before: they would seem to take part in this one.
        """
        workers = self._workers()
        until = monotonic() + SETTLE_SECONDS
        while any(_is_busy(pid) for pid in workers) and monotonic() < until:
            sleep(0.002)
        pids = [*workers, *([self._own_pid] if own_process else [])]
        self._before = {}
        for pid in pids:
            was_reset, status = _reset_peak(pid), _Status.of(pid)
            self._before[pid] = status.switches if was_reset and status else None

    def peak_bytes(self) -> int | None:
        """Sum of the peaks of those that took part; 0 if none did; ``None`` if one has ended or could not be reset."""
        total = 0
        for pid in {*self._before, *self._workers()}:
            status, switches = _Status.of(pid), self._before.get(pid, -1)
            if status is None:
                return None
            if status.switches == switches:
                continue
            if switches is None:
                return None
            total += status.peak_bytes
        return total

    def _workers(self) -> list[int]:
        """Children of Spark's Python daemons (one for each environment that jobs ask for)."""
        daemons = [int(name) for name in os.listdir(self._daemons)]  # noqa: PTH208 - half the time of iterdir
        return [worker for daemon in daemons for worker in _children(daemon)]


@dataclass(frozen=True, slots=True)
class _Status:
    """From ``/proc/PID/status``: peak resident set, and context switches, which move whenever the process does."""

    peak_bytes: int
    switches: int

    @classmethod
    def of(cls, pid: int) -> _Status | None:
        """``None`` if the process is gone."""
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return None
        fields = dict(line.split(":", 1) for line in lines)
        if "VmHWM" not in fields:  # a zombie
            return None
        switches = int(fields["voluntary_ctxt_switches"]) + int(fields["nonvoluntary_ctxt_switches"])
        return cls(int(fields["VmHWM"].split()[0]) * 1024, switches)


def _is_busy(pid: int) -> bool:
    """Whether the process runs or wants to, or waits for a page: not the sleep of one that waits for work."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in {"R", "D"}


def _reset_peak(pid: int) -> bool:
    """Whether it could be done: the process may be gone or not ours."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text(CLEAR_PEAK)
    except OSError:
        return False
    return True


def _children(pid: int) -> list[int]:
    """Of a process of one thread; none if it is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []

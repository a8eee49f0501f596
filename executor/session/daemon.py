"""pyspark's daemon of Python workers, except that it makes itself known, that it waits for workers that end, and that
workers of a profile pass hand over their calls in time, and the number of those that nobody took.

A file named by its pid in the folder that the environment names lets the session find its workers; to find them among
the children of the JVM's hundred threads takes 5 ms.

The original ignores SIGCHLD. The CPU time of a worker that has ended (its UDF raised, or a LIMIT left its rows unread)
is then in nobody's counters. The kernel gives it to a parent that waits.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from pyspark import daemon, worker

from executor.session.peaks import DAEMONS_VARIABLE
from executor.session.rules import FRAMES_OF_A_CALL, PROFILE_VARIABLE, losses


class _Signals:
    """The module ``signal`` as the daemon sees it: who asks to ignore the end of children waits for them instead."""

    def __getattr__(self, name: str) -> Any:
        return getattr(signal, name)

    @staticmethod
    def signal(number: int, handler: Any) -> Any:
        waits = number == signal.SIGCHLD and handler is signal.SIG_IGN
        return signal.signal(number, _wait if waits else handler)


def _wait(number: int, frame: FrameType | None) -> None:
    """Signal handler: one signal may stand for several children."""
    del number, frame
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:  # none is left
        pass


def _deliver_before(told: Callable[..., Any]) -> Callable[..., Any]:
    """Before a worker tells that its task has ended, well or not, its profiled calls are where they are looked for."""

    def deliver_and_tell(*arguments: Any) -> Any:
        delivery = sys.modules.get("snipbench.profiling.delivery")
        if delivery is not None:
            delivery.process.flush()
            if lost := delivery.process.lost.pop(delivery.REFUSED, 0):
                _tell_lost(lost)
        return told(*arguments)

    return deliver_and_tell


def _tell_lost(calls: int) -> None:
    """Raises OSError, which ends the worker and fails the pass, where nobody listens."""
    pipe = os.open(losses(Path(os.environ[DAEMONS_VARIABLE])), os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(pipe, b"%d\n" % calls)
    finally:
        os.close(pipe)


if __name__ == "__main__":
    Path(os.environ[DAEMONS_VARIABLE], str(os.getpid())).touch()
    daemon.signal = _Signals()
    if PROFILE_VARIABLE in os.environ:
        worker.report_times = _deliver_before(worker.report_times)
        worker.handle_worker_exception = _deliver_before(worker.handle_worker_exception)
        sys.setrecursionlimit(FRAMES_OF_A_CALL * sys.getrecursionlimit())
    daemon.manager()

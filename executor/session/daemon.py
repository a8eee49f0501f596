"""pyspark's daemon of Python workers, except that it makes itself known and waits for workers that end.

A file named by its pid in the folder that the environment names lets the session find its workers; to find them among
the children of the JVM's hundred threads takes 5 ms.

The original ignores SIGCHLD. The CPU time of a worker that has ended (its UDF raised, or a LIMIT left its rows unread)
is then in nobody's counters. The kernel gives it to a parent that waits.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

from pyspark import daemon

from executor.session.peaks import DAEMONS_VARIABLE


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


if __name__ == "__main__":
    Path(os.environ[DAEMONS_VARIABLE], str(os.getpid())).touch()
    daemon.signal = _Signals()
    daemon.manager()

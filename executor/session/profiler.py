"""The profile pass: a snippet executed with every function of it profiled, its calls going to a folder.

Python workers of the pass are not those of measured runs: an environment variable of their own makes Spark start
another daemon for them, which is ended before anything else is done. What profiling leaves in a process stays out of
runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from pyspark import SparkContext

from executor.session import code
from executor.session.rules import FRAMES_OF_A_CALL, PROFILE_VARIABLE, losses
from snipbench import profiling
from snipbench.errors import ProfileError
from snipbench.profiling.delivery import REFUSED
from snipbench.profiling.instrument import instrumented

END_SECONDS = 5.0
"""How long the daemon of a pass may take to end after it was told to, before it is killed."""


class Profiler:
    """Of one session. ``lost_calls`` counts those of the last pass, in all its processes, that could not be written."""

    def __init__(self, context: SparkContext, daemons: Path) -> None:
        self._context = context
        self._daemons = daemons
        self._losses = losses(daemons)
        os.mkfifo(self._losses, 0o600)
        self._daemons_life = 0
        self._workers_may_run = False
        self.recording = False
        self.lost_calls = 0

    @contextmanager
    def profiled(self, folder: Path, *, task_id: str, slot_id: str, max_bytes: int) -> Iterator[None]:
        """Snippets loaded within are profiled; when it ends all calls are in ``folder``.

        Args:
            folder: for :func:`snipbench.profiling.read_directory`.
            task_id: recorded with each call, as is ``slot_id``.
            slot_id: the point that is profiled.
            max_bytes: what one process may write; further calls are counted.
        """
        told = os.open(self._losses, os.O_RDONLY | os.O_NONBLOCK)
        sink = profiling.DirectorySink(folder, max_bytes=max_bytes)
        profiling.configure(sink=sink, task_id=task_id, slot_id=slot_id)
        lost_before = _lost_calls()
        chosen = code.compiler.set(instrumented)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(FRAMES_OF_A_CALL * limit)
        # Spark asks a daemon again that it once had: one that was ended must not be asked.
        self._context.environment[PROFILE_VARIABLE] = str(self._daemons_life)
        self._workers_may_run = self.recording = True
        try:
            yield
        finally:
            self.recording = False
            del self._context.environment[PROFILE_VARIABLE]
            sys.setrecursionlimit(limit)
            code.compiler.reset(chosen)
            try:
                profiling.configure(sink=None, task_id=None, slot_id=None)
            except ProfileError:  # counted below; configured again, with nothing left to refuse
                profiling.configure(sink=None, task_id=None, slot_id=None)
            self.lost_calls = _lost_calls() - lost_before + _lost_by_workers(told)
            os.close(told)

    def end_workers(self) -> None:
        """End the daemon of earlier passes, and with it its workers, so that nothing of them is seen in a run."""
        if not self._workers_may_run:
            return
        self._workers_may_run = False
        self._daemons_life += 1
        ended = [pid for pid in map(int, os.listdir(self._daemons)) if _is_of_a_pass(pid)]  # noqa: PTH208
        for pid in ended:
            _send(pid, signal.SIGTERM)
        until = monotonic() + END_SECONDS
        while (left := [pid for pid in ended if _is_of_a_pass(pid)]) and monotonic() < until:
            sleep(0.005)
        for pid in left:
            _send(pid, signal.SIGKILL)
        for pid in ended:
            (self._daemons / str(pid)).unlink(missing_ok=True)


def _lost_calls() -> int:
    """Calls of this process that could not be written; those beyond the bound are counted where the others are."""
    return profiling.lost_calls().get(REFUSED, 0)


def _lost_by_workers(pipe: int) -> int:
    text = b""
    with suppress(BlockingIOError):  # a worker has it open and says nothing
        while piece := os.read(pipe, 1 << 16):
            text += piece
    return sum(int(number) for number in text.split() if number.isdigit())


def _is_of_a_pass(pid: int) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(variable.startswith(PROFILE_VARIABLE.encode() + b"=") for variable in variables)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

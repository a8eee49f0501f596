"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psutil


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until ``condition()``; fails where it never comes true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def left(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after so long; not those that only wait for somebody to collect them."""
    deadline = time.monotonic() + seconds
    while (running := [one for one in processes if _runs(one)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

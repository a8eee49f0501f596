"""Fixtures of the profiler's tests: a fresh memory sink each, and programs run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snipbench import profiling

ROOT = Path(__file__).parents[3]
Drain = Callable[[], list[profiling.CallRow]]


@pytest.fixture
def drain() -> Iterator[Drain]:
    """Rows of the calls made since the test began, or since the last time asked."""
    profiling.configure(sink=profiling.MemorySink(), task_id=None, slot_id=None, secrets=())
    yield profiling.drain
    profiling.configure(sink=profiling.MemorySink(), task_id=None, slot_id=None, secrets=())


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program's text, its calls going to ``tmp_path/calls`` unless ``spool=False``; its exit code is checked."""

    def run(text: str, *, spool: bool = True, expect: int = 0) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(text))
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if spool:
            environment["SNIPBENCH_PROFILE_DIR"] = str(tmp_path / "calls")
        done = subprocess.run(
            [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == expect, done.stderr
        return done

    return run


@pytest.fixture
def spooled(tmp_path: Path) -> Callable[[], list[profiling.CallRow]]:
    """Rows that programs left; no line may be broken."""

    def read() -> list[profiling.CallRow]:
        found = profiling.read_directory(tmp_path / "calls")
        assert found.broken_lines == 0
        assert found.overflow_calls == 0
        return found.rows

    return read

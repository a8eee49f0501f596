"""Ctrl-C once, twice and three times, and the same with SIGTERM."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

COMMAND = """
import signal, sys, time
from orchestrator.cli.interrupts import EXIT_CODE, INTERRUPTS
INTERRUPTS.watch(signal.SIGINT)
INTERRUPTS.watch(signal.SIGTERM)
try:
    print("under way", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("clearing up", flush=True)
    sys.stdin.readline()
    print("cleared up", flush=True)
    INTERRUPTS.forget(signal.SIGINT)
    sys.exit(EXIT_CODE)
"""
IGNORING = "trap '' INT; "


@contextmanager
def command(*, ignoring: bool = False) -> Iterator[subprocess.Popen[str]]:
    """One that clears up, until it is told that it may end."""
    start = f'{IGNORING if ignoring else ""}exec "$0" -c "$1"'
    with subprocess.Popen(
        ["sh", "-c", start, sys.executable, COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert said(started) == "under way"
        yield started
        started.kill()


def said(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_says_what_goes_on_and_disturbs_nothing(second: signal.Signals) -> None:
    with command() as started:
        assert started.stderr is not None
        started.send_signal(signal.SIGINT)
        assert said(started) == "clearing up"
        started.send_signal(second)
        assert started.stderr.readline() == "\n"
        assert "Once more ends at once" in started.stderr.readline()
        output, _ = started.communicate("\n")
        assert output == "cleared up\n"
        assert started.returncode == 130


def test_a_third_one_ends_it_with_the_same_exit_code() -> None:
    with command() as started:
        assert started.stderr is not None
        started.send_signal(signal.SIGTERM)
        assert said(started) == "clearing up"
        started.send_signal(signal.SIGINT)
        assert "\n" in started.stderr.readline()
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == 130


def test_who_was_started_to_ignore_it_goes_on_ignoring_it() -> None:
    with command(ignoring=True) as started:
        started.send_signal(signal.SIGINT)
        started.send_signal(signal.SIGTERM)
        assert said(started) == "clearing up"
        started.communicate("\n")
        assert started.returncode == 130

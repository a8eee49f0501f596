"""A request that fails in itself, not for what a snippet or a database did; and one that comes too late."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executor.calls import PrepareRequest, SessionSpec
from executor.spark_process import Launch, SparkProcess, inherited_environment
from snipbench.clock import SystemClock
from snipbench.errors import SessionLost

CHILD = """\
from executor.channel import serve


def broken(body):
    raise RuntimeError("the answer to another question came")


serve({"prepare": broken, "load": broken})
"""


PREPARATION = PrepareRequest("small", "jdbc:postgresql://127.0.0.1:1/shop", "user", "password", "tests", ())


@pytest.fixture
def process(tmp_path: Path) -> Iterator[SparkProcess]:
    spec = SessionSpec("local[2]", (), (), None, tmp_path, tmp_path)
    process = SparkProcess(spec, SystemClock(), Launch((sys.executable, "-c", CHILD), inherited_environment()))
    yield process
    process.stop()


@pytest.mark.parametrize(
    "request_",
    [lambda process: process.prepare(PREPARATION), lambda process: process.ask("load", {}, 60.0)],
    ids=["prepare", "load"],
)
def test_it_costs_the_session_and_not_the_task(
    process: SparkProcess, request_: Callable[[SparkProcess], object]
) -> None:
    process.supervisor.start()
    with pytest.raises(SessionLost, match="the answer to another question came"):
        request_(process)
    assert process.lost is not None
    assert "the answer to another question came" in process.lost
    assert not process.supervisor.alive


def test_a_session_that_was_ended_before_it_had_a_process_does_not_start(process: SparkProcess) -> None:
    process.kill("the task is to end")
    with pytest.raises(SessionLost, match="the task is to end"):
        process.start()
    assert not process.supervisor.alive

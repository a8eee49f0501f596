"""Ctrl-C in the middle of a query: what it keeps busy is gone at once, the task is marked and can be gone on with."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.side_by_side import alone

from . import long_query
from .conftest import command_line, environment, json_of, run_command

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("databases", "clones"),
    [("embedded", "clones"), pytest.param("docker", "docker/clones", marks=[pytest.mark.docker, pytest.mark.root])],
)
def test_ctrl_c_ends_a_long_query_within_two_seconds(home: Path, tmp_path: Path, databases: str, clones: str) -> None:
    place = home / "databases" / clones
    with (tmp_path / "log").open("w") as log:
        command = subprocess.Popen(
            command_line("run", long_query.write_order(tmp_path), "--home", home, "--databases", databases),
            env=environment(),
            stdout=log,
            stderr=log,
        )
    try:
        query = long_query.under_way(place, psutil.Process(command.pid))
        with alone():
            command.send_signal(signal.SIGINT)
            assert query.gone(2)
        assert command.wait(60) == 130, (tmp_path / "log").read_text()
    finally:
        command.kill()  # else the next command would wait for the machine
    assert "error: interrupted" in (tmp_path / "log").read_text()
    assert list(place.iterdir()) == []
    assert json_of(run_command("status", "latest", "--home", home, "--json"))["status"] == "interrupted"

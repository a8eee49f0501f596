"""The API as a process, and orders that are handed in to it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .conftest import command_line, environment


@contextmanager
def process(log: Path, *arguments: object, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours in the background; ended with SIGTERM, if it still runs."""
    with log.open("ab") as stream:
        started = subprocess.Popen(
            command_line(*arguments), env={**environment(), **variables}, stdout=stream, stderr=stream
        )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(60)


@contextmanager
def api(home: Path, directory: Path, **variables: str) -> Iterator[str]:
    """``snipbench serve`` on a free port; its address."""
    log = directory / "api.log"
    with process(log, "serve", "--home", home, "--port", 0, **variables) as served:
        deadline = time.monotonic() + 60
        while (found := re.search(r"http://\S+", log.read_text())) is None:
            assert served.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield found.group()


def submitted(order: Path, url: str, token: str = "") -> str:
    """The task of an order that was handed in."""
    arguments = command_line("submit", order, "--api", url)
    variables = environment() | {"SNIPBENCH_TOKEN": token}
    done = subprocess.run(arguments, env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()

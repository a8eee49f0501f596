"""A real Redis on the loopback, without persistence: what it forgets must not matter."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.databases.server import free_port


@contextmanager
def redis_server(directory: Path, password: str | None = None) -> Iterator[str]:
    """Serve until left; the address is ``redis://127.0.0.1:PORT/0``, with the password in it where there is one."""
    program = shutil.which("redis-server")
    assert program is not None, "no redis-server"
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(directory)]
    settings = directory / "redis.conf"
    settings.write_text(f"requirepass {password}\n" if password else "")
    with (directory / "redis.log").open("w") as log:
        process = subprocess.Popen([program, str(settings), *options], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (directory / "redis.log").read_text()
                assert time.monotonic() < deadline, "Redis does not answer"
                time.sleep(0.02)
        yield f"redis://{f':{password}@' if password else ''}127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()

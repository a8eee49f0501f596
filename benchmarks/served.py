"""snipbench as services on this machine: a broker, a store that is a server, the API, a worker of each kind.

With databases in containers, an initializer as well.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.result import NotMeasured
from orchestrator.client import Client
from orchestrator.databases.docker.engine import connect
from orchestrator.databases.docker.images import DEFAULT_VARIABLE
from orchestrator.databases.docker.labels import selection
from orchestrator.databases.server import free_port
from snipbench.domain.order import Database
from snipbench.errors import MachineError, ServiceError, StoreAway
from snipbench.store.opening import open_store
from snipbench.store.port import DocumentStore

T = TypeVar("T")
ROOT = Path(__file__).parent.parent
WORKERS = ("leader", "executor", "monitor", "analyzer")
LEASE_SECONDS = 16.0
"""Longer than a lease and than a worker's silence may be."""
AWAKE_SECONDS = 3.0
"""What a process that was woken up has to do mischief in."""


class Served:
    """All of it, started; ended when the stack is closed."""

    def __init__(self, folder: Path, stack: ExitStack, *, contained: bool = False) -> None:
        self._folder = folder
        self._contained = contained
        self._home = folder / "home"
        self._home.mkdir()
        self._stack = stack
        ports = {name: free_port() for name in ("redis", "store", "api", "initializer")}
        self._url = f"http://127.0.0.1:{ports['api']}"
        self._address = f"mongodb://127.0.0.1:{ports['store']}/chaos"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SNIPBENCH_BROKER": f"redis://127.0.0.1:{ports['redis']}/0",
            "SNIPBENCH_STORE": self._address,
            "SNIPBENCH_MACHINE_LOCK": str(folder / "machine.lock"),
        }
        if contained:
            self._environment |= {
                "SNIPBENCH_DATABASES": "initializer",
                "SNIPBENCH_INITIALIZER_URL": f"http://127.0.0.1:{ports['initializer']}",
                "SNIPBENCH_INITIALIZER_TOKEN": secrets.token_hex(16),
            }
        self._commands = {
            "redis": [_program("redis-server"), "--port", str(ports["redis"]), "--save", "", "--dir", str(folder)],
            "store": [str(_store_server(folder)), f"127.0.0.1:{ports['store']}", str(folder / "data")],
            "api": self._snipbench("serve", "--port", str(ports["api"])),
            "initializer": self._snipbench("serve", "initializer", "--port", str(ports["initializer"])),
            **{role: self._snipbench("serve", role) for role in WORKERS},
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("redis", "store"):
            self.start(name)
            _until(partial(_answers, ports[name]))
        for name in ("api", *(["initializer"] if contained else ()), *WORKERS):
            self.start(name)
        self.store = open_store(self._address)
        stack.callback(self._end)
        self._client = stack.enter_context(Client(self._url))

    def start(self, name: str) -> None:
        """Start a service; what ran under the name before is forgotten."""
        environment = self._environment | ({"SNIPBENCH_DATABASES": "docker"} if name == "initializer" else {})
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(self._commands[name], env=environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """SIGKILL, and started again at once."""
        self._running[name].kill()
        self._running[name].wait()
        self.start(name)

    def kill_session(self) -> None:
        """SIGKILL to the executor's child, whichever process of it is first."""
        try:
            children = psutil.Process(self._running["executor"].pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        for child in children:
            if "java" in child.name():
                child.kill()

    def flush(self) -> None:
        """The broker forgets everything."""
        import redis

        redis.Redis.from_url(self._environment["SNIPBENCH_BROKER"]).flushall()

    def suspend(self, name: str) -> None:
        """SIGSTOP until another one had to take over, then woken up; it is ended a moment later."""
        stopped = self._running[name]
        stopped.send_signal(signal.SIGSTOP)
        self.start(name)
        time.sleep(LEASE_SECONDS)
        stopped.send_signal(signal.SIGCONT)
        time.sleep(AWAKE_SECONDS)
        stopped.terminate()
        self._stack.callback(stopped.wait, 60)

    def submit(self, order: str) -> str:
        """The task of an order."""
        _until(self._answered)
        return str(self._client.submit({"order": order})["task_id"])

    def clones(self) -> list[str]:
        """Clones that are there."""
        below = self._home / "databases" / ("docker" if self._contained else "")
        return [clone.name for clone in (below / "clones").glob("*")]

    def leftovers(self) -> list[str]:
        """Processes that still run below our folder; containers, volumes and networks that bear our home's label."""
        found = self._on_the_engine() if self._contained else []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or ())
            if str(self._folder) in command and process.pid != os.getpid():
                found.append(command[:80])
        return found

    def _on_the_engine(self) -> list[str]:
        engine, ours = connect(), selection((self._home / "databases" / "docker").resolve())
        containers = engine.containers.list(all=True, filters=ours, ignore_removed=True)
        volumes, networks = engine.volumes.list(filters=ours), engine.networks.list(filters=ours)
        return [f"{type(one).__name__.lower()} {one.name}" for one in (*containers, *volumes, *networks)]

    def reopened(self, stack: ExitStack) -> DocumentStore:
        """The store once more, after everything has ended; its server runs until ``stack`` is closed."""
        self.start("store")
        stack.callback(self._running["store"].kill)
        return patiently(lambda: open_store(self._address))

    def _end(self) -> None:
        """SIGTERM to the services, as a person's would be; then broker and store go."""
        self.store.close()
        for name in (*WORKERS, "api", "initializer", "redis", "store"):
            if name in self._running:
                self._running[name].terminate()
                self._running[name].wait(60)

    def _snipbench(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "orchestrator", *arguments, "--home", str(self._home)]

    def _answered(self) -> bool:
        try:
            self._client.get("/orders")
        except ServiceError:
            return False
        return True


def no_engine() -> str | None:
    """Why no database can be in a container here; None where it can."""
    try:
        engine = connect()
    except MachineError as error:
        return str(error)
    image = os.environ.get(DEFAULT_VARIABLE, Database.model_fields["image"].default)
    if not engine.images.list(filters={"reference": image}):
        return f"no image {image}: {DEFAULT_VARIABLE} names another one"
    return None


def patiently(call: Callable[[], T]) -> T:
    """What ``call`` gives once the store is there."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return call()
        except StoreAway:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        if time.monotonic() > deadline:
            raise NotMeasured("the services do not start; see their logs")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotMeasured(f"needs {name}")
    return found


def _store_server(folder: Path) -> Path:
    """The server of MongoDB's protocol that the tests use, built."""
    go = _program("go")
    built = folder / "store-server"
    source = ROOT / "tests" / "servers" / "ferretdb"
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    done = subprocess.run(
        [go, "build", "-trimpath", "-o", str(built), "."], cwd=source, env=environment, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise NotMeasured("the store's server cannot be built")
    return built

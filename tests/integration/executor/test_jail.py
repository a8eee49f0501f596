"""What a process in the jail can reach: its work directory, its programs, the one database, and little of each."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from executor.jail import Jail
from executor.jail.bwrap import Limits
from executor.jail.bwrap import _problem as problem
from executor.jail.furniture import Furniture
from executor.jail.readable import our_packages, programs
from executor.jail.relay import Relay, listen_on_loopback, listen_on_socket, to_address
from executor.process_tree import labelled

pytestmark = pytest.mark.sandbox

PROBE = """
import ctypes, errno, json, os, resource, socket
from pathlib import Path

found = {}

def tried(name, what):
    try:
        found[name] = what()
    except OSError as error:
        found[name] = errno.errorcode[error.errno]

def talk(port):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"ping")
        return connection.recv(100).decode()

def unshared():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    return "a new user namespace"

def forks():
    children = []
    try:
        while len(children) < 200:
            child = os.fork()
            if child == 0:
                import time
                time.sleep(30)
            children.append(child)
    except OSError:
        pass
    for child in children:
        os.kill(child, 9)
    return len(children)

def grows():
    with open("big", "wb") as file:
        for _ in range(8):
            file.write(bytes(2**20))
            file.flush()

import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
tried("database", lambda: talk(5432))
tried("other", lambda: talk(OTHER))
tried("outside", lambda: socket.create_connection(("192.0.2.1", 80), 5) and "connected")
tried("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).family)
tried("secret", lambda: Path(SECRET).read_text())
tried("home", lambda: sorted(path.name for path in Path(HOME).iterdir()))
tried("root", lambda: sorted(path.name for path in Path("/").iterdir()))
tried("shadow", lambda: Path("/etc/shadow").read_text())
tried("usr", lambda: Path("/usr/mark").write_text("x"))
tried("top", lambda: Path("/mark").write_text("x"))
tried("package", lambda: (Path(PACKAGE) / "mark").write_text("x"))
tried("work", lambda: Path("mark").write_text("x"))
tried("tmp", lambda: Path("/tmp/jail-mark").write_text("x"))
tried("namespace", unshared)
tried("forks", forks)
tried("file", grows)
found["environment"] = dict(os.environ)
found["user"] = os.getuid()
found["status"] = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
found["processes"] = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
print(json.dumps(found))
"""


@dataclass
class Inside:
    """What a probe saw, and what was out here meanwhile."""

    found: dict[str, Any]
    work: Path
    other_connections: int


class Listener:
    """Answers ``pong`` on a port of the host's loopback, and counts."""

    def __init__(self) -> None:
        self.socket = listen_on_loopback(0)
        self.port = self.socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.recv(100)
                connection.sendall(b"pong")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture(scope="module", params=["another user", "who starts it"])
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Inside:
    """A probe's findings, in a jail with small limits."""
    place = tmp_path_factory.mktemp("jail")
    secret = place / "secret"
    secret.write_text("do not read")
    work = place / "work"
    work.mkdir()
    user = Jail.user() if request.param == "another user" else None
    if user is not None:
        os.chown(work, user, user)
    database, other = Listener(), Listener()
    home = str(Path.home())
    values = {
        "OTHER": other.port,
        "SECRET": str(secret),
        "HOME": home,
        "PACKAGE": str(Path(__file__).parents[3] / "executor"),
    }
    names = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    os.environ["SNIPBENCH_TEST_SECRET"] = "in our environment"
    with Furniture(user) as furniture:
        relay = Relay(listen_on_socket(furniture.network / Furniture.SOCKET), to_address("127.0.0.1", database.port))
        command = Jail(Limits(processes=60, file_bytes=4 * 2**20)).command(
            (sys.executable, "-c", names + PROBE), furniture, writable=work, network=furniture.network
        )
        ran = subprocess.run(command, env=Jail.environment(), capture_output=True, check=False, timeout=60, text=True)
        relay.close()
    del os.environ["SNIPBENCH_TEST_SECRET"]
    for listener in (database, other):
        listener.close()
    assert ran.returncode == 0, ran.stderr
    return Inside(json.loads(ran.stdout), work, other.connections)


def test_only_the_database_is_reached(inside: Inside) -> None:
    assert inside.found["database"] == "pong"
    assert inside.found["other"] == "ECONNREFUSED"
    assert inside.other_connections == 0
    assert inside.found["outside"] == "ENETUNREACH"
    assert inside.found["vsock"] == "EAFNOSUPPORT"


def test_files_of_others_are_not_there(inside: Inside) -> None:
    assert inside.found["secret"] == "ENOENT"
    assert inside.found["shadow"] == "ENOENT"
    bound = [*programs(), *our_packages(), inside.work]
    home = {path.relative_to(Path.home()).parts[0] for path in bound if path.is_relative_to(Path.home())}
    assert inside.found["home"] == "ENOENT" or set(inside.found["home"]) <= home
    always = {"bin", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "tmp", "usr"}
    assert set(inside.found["root"]) <= always | {path.parts[1] for path in bound}


def test_only_the_work_directory_is_written(inside: Inside) -> None:
    assert inside.found["work"] == 1
    assert (inside.work / "mark").exists()
    assert inside.found["tmp"] == 1
    assert not Path("/tmp/jail-mark").exists()
    for place in ("usr", "top", "package"):
        assert inside.found[place] in {"EROFS", "EACCES"}, place


def test_no_rights_and_no_way_to_new_ones(inside: Inside) -> None:
    status = inside.found["status"]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert inside.found["namespace"] == "EPERM"
    assert max(inside.found["processes"]) < 300  # a list of its own


def test_nothing_of_our_environment_is_there(inside: Inside) -> None:
    known = {*Jail.environment(), "PWD", "LC_CTYPE"}
    assert set(inside.found["environment"]) <= known


def test_files_and_processes_are_limited(inside: Inside) -> None:
    assert inside.found["file"] == "EFBIG"
    # The kernel does not count root's processes: this is why root's jails have a user of their own.
    if inside.found["user"] != 0:
        assert inside.found["forks"] < 60


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a shell script in a jail, its tree marked as TREE."""
    with Furniture(Jail.user()) as furniture:

        def start(script: str) -> subprocess.Popen[bytes]:
            command = Jail().command(("/bin/sh", "-c", dedent(script)), furniture)
            return subprocess.Popen(
                command,
                env=Jail.environment() | {"TREE": str(tmp_path)},
                stdout=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
            )

        yield start


def _ended(label: str) -> bool:
    deadline = time.monotonic() + 60
    while labelled(label) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not labelled(label)


def test_a_daemon_ends_with_the_jail(started: Callable[[str], Any], tmp_path: Path) -> None:
    process = started("setsid sleep 1000 >/dev/null 2>&1 & exit 0")
    assert process.wait(60) == 0
    assert _ended(f"TREE={tmp_path}")


def test_who_kills_the_jail_kills_all_in_it(started: Callable[[str], Any], tmp_path: Path) -> None:
    process = started("setsid sleep 1000 & echo up; sleep 1000")
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert _ended(f"TREE={tmp_path}")


def test_where_there_is_no_bwrap_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Jail.available() is None
    problem.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not installed" in (Jail.available() or "")
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    problem.cache_clear()
    assert "No permissions" in (Jail.available() or "")
    problem.cache_clear()

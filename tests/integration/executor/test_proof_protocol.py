"""A proof session against a jailed child that does what it likes with the protocol; no Spark is needed for that."""

from __future__ import annotations

import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from executor.calls import PrepareRequest, SessionSpec, SnippetCall
from executor.jail import Jail
from executor.jail.relay import listen_on_loopback
from executor.process_tree import descendants, processes
from executor.proving import Judge, ProofRun, ProofSession, WrittenResult
from executor.proving import session as proving
from executor.results.written import write_local
from snipbench.clock import SystemClock
from snipbench.domain.order import Snippet
from snipbench.domain.result import Equality
from snipbench.domain.run import RunStatus
from snipbench.resources.process_tree import ProcessTreeSource

pytestmark = pytest.mark.sandbox

CHILD = """
import socket
from pathlib import Path
from executor.channel import serve
from executor.results.written import write_local

versions = dict.fromkeys(["spark_version", "python_version", "java_version", "scala_version"], "")
code, kept, snippet = "", {}, {}

def fetch():
    with socket.create_connection(("127.0.0.1", 5432)) as connection:
        return int(connection.recv(100))

def load(body):
    global code, snippet
    code, snippet = body["snippet"]["code"], {"kept": kept, "fetch": fetch, "write_local": write_local}
    if "def run" in code:
        exec(code, snippet)
    return {"failure": None, "lost": None, "seconds": {}}

def write(body):
    snippet["into"] = Path(body["into"])
    if "def run" in code:
        write_local(snippet["run"](), snippet["into"])
    else:
        exec(code, snippet)
    return {"failure": None, "sort_keys": []}

serve({
    "start": lambda body: versions | {"conf": [], "slots": 1, "executors": None},
    "prepare": lambda body: {"views": [], "schemas": [], "created": [], "seconds": 0.0, "failure": None},
    "load": load,
    "write": write,
    "after": lambda body: {"failure": None},
})
"""


SLEEP_SECONDS = 0.3

NOT_FASTER = {
    "patched clocks": f"""
        import time
        time.perf_counter = time.monotonic = time.time = lambda: 0.0
        def run():
            time.sleep({SLEEP_SECONDS})
            return 2 * fetch()
    """,
    "computed while it is loaded": f"""
        import time
        time.sleep({SLEEP_SECONDS})
        answer = 2 * fetch()
        def run():
            return answer
    """,
}
"""What gains nothing: the answer is right, and every second counts."""

WRONG = {
    "hard-coded": "def run(): return 84",
    "cached after the first call": "def run(): return kept.setdefault('answer', 2 * fetch())",
    "worked out by a thread that goes on": """
        import threading
        def later():
            kept["answer"] = 2 * fetch()
        def run():
            if "thread" in kept:
                kept.pop("thread").join()
            kept["thread"] = threading.Thread(target=later)
            kept["thread"].start()
            return kept.get("answer", 84)
    """,
    "put in by the tracer": """
        import sys
        def run():
            def trace(frame, event, argument):
                if frame.f_code.co_name == "write_local":
                    frame.f_globals["dumps"] = lambda *values, **options: "84"
                return trace
            sys.settrace(trace)
            return 84
    """,
}
"""What does not follow the data."""


class Numbers:
    """The database: tells its number to whoever connects; keeps the connections that it is to hold."""

    def __init__(self, *, holding: bool = False) -> None:
        self.number = 42
        self.held: list[socket.socket] | None = [] if holding else None
        self.listener = listen_on_loopback(0)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.sendall(str(self.number).encode())
            if self.held is None:
                connection.close()
            else:
                self.held.append(connection)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        for listening_or_held in (self.listener, *(self.held or ())):
            listening_or_held.close()


@dataclass
class Child:
    """A session with such a child, and a place for what it writes."""

    place: Path
    session: ProofSession
    numbers: Iterator[int] = field(default_factory=count)

    def run(self, code: str) -> ProofRun:
        """Have the child do this in the place of a snippet."""
        snippet = Snippet(name="any", kind="function", code=dedent(code), template="any")
        return self.session.time(SnippetCall(snippet), 20.0, into=self.place / f"taken-{next(self.numbers)}")

    def failure(self, code: str) -> str:
        """The kind of failure that this ends in."""
        run = self.run(code)
        assert run.status is RunStatus.FAILED
        assert run.failure is not None
        assert (run.wall_seconds, run.written) == (None, None)
        return run.failure.kind

    def expected(self, value: Any) -> WrittenResult:
        """What an honest baseline would have written."""
        path = self.place / f"expected-{next(self.numbers)}"
        path.parent.mkdir(exist_ok=True)
        write_local(value, path)
        return WrittenResult(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("protocol")


@pytest.fixture(scope="module")
def judge(place: Path) -> Iterator[Judge]:
    with Judge(place, jail=Jail()) as judge:
        yield judge


@pytest.fixture(scope="module")
def new_child(place: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(memory_cap_bytes: int | None = None) -> Child:
        spec = SessionSpec("local[1]", (), (), memory_cap_bytes, place / f"work-{len(children)}", place / "logs")
        session = ProofSession(spec, SystemClock(), ProcessTreeSource(), jail=Jail())
        session.start()
        children.append(Child(place / f"results-{len(children)}", session))
        return children[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(proving, "SESSION", (sys.executable, "-c", CHILD))
        yield start
        for child in children:
            child.session.stop()


@pytest.fixture(scope="module")
def _kept() -> list[Child]:
    return []


@pytest.fixture
def child(_kept: list[Child], new_child: Callable[..., Child]) -> Child:
    """A child for many tests; a new one where the last was lost."""
    if not _kept or _kept[-1].session.lost:
        _kept.append(new_child())
    return _kept[-1]


def test_what_is_written_is_taken_and_stays_as_it_was(child: Child, judge: Judge) -> None:
    """A thread that writes on after the reply changes nothing any more."""
    code = """
        import threading
        kept["told"], kept["done"] = threading.Event(), threading.Event()
        def later():
            kept["told"].wait()
            try:
                for path in into.iterdir():
                    path.write_text(path.read_text().replace("42", "43"))
            finally:
                kept["done"].set()
        write_local(42, into)
        threading.Thread(target=later, daemon=True).start()
    """
    first = child.run(code)
    assert first.written is not None, first.failure
    child.run("kept['told'].set(); kept['done'].wait(); write_local(1, into)")
    assert judge.judge(child.expected(42), first.written, 0.0).equality is Equality.EQUAL
    assert judge.judge(child.expected(43), first.written, 0.0).equality is Equality.DIFFERENT


def test_between_calls_nothing_runs(child: Child) -> None:
    code = '''
        import subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        subprocess.Popen(["setsid", "sh", "-c", "while :; do :; done"])
        without_first_thread = """if True:
            import ctypes, platform, threading
            threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
            print("up", flush=True)
            ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)
        """
        process = subprocess.Popen([sys.executable, "-c", without_first_thread], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.1)
        write_local(1, into)
    '''
    assert child.run(code).status is RunStatus.OK
    found = descendants(child.session.keeper_pid)
    threads = [path for pid in found for path in Path(f"/proc/{pid}/task").iterdir()]
    states = {(path / "stat").read_text().rpartition(")")[2].split()[0] for path in threads}
    assert len(found) >= 6
    assert states <= {"T", "Z"}
    child.session.thaw()
    child.session.freeze()
    assert child.run("write_local(1, into)").status is RunStatus.OK


def test_a_reply_without_a_result_is_none(child: Child) -> None:
    assert child.failure("pass") == "NothingWritten"
    assert child.failure("into.mkdir(); (into / 'other').write_text('x')") == "NothingWritten"


def test_a_result_elsewhere_is_not_followed(child: Child) -> None:
    """With our rights a link in the jail would lead out of it: to the baseline's own result, for instance."""
    theirs = child.expected(42).path
    assert child.failure(f"into.symlink_to({str(theirs)!r})") == "NothingWritten"
    assert child.failure(f"into.mkdir(); (into / 'value.json').symlink_to('{theirs}/value.json')") == "NothingWritten"


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_who_ends_its_session_has_no_time(child: Child, end: str) -> None:
    """Whatever was written before, and whatever the exit code says."""
    run = child.run(f"import os; write_local(42, into); {end}")
    assert (run.wall_seconds, run.written) == (None, None)
    assert child.session.lost


def test_who_writes_a_reply_to_every_descriptor_is_ended(child: Child) -> None:
    code = """
        import json, os, time
        write_local(42, into)
        reply = {"id": 10**6, "ok": True, "body": {"failure": None, "sort_keys": []}}
        for descriptor in range(3, 4096):
            try:
                os.write(descriptor, json.dumps(reply).encode() + bytes([10]))
            except OSError:
                pass
        time.sleep(0.3)
    """
    run = child.run(code)
    assert (run.wall_seconds, run.written) == (None, None)
    assert child.session.lost


@pytest.mark.parametrize("junk", ["reply", "noise"])
def test_who_writes_to_the_channel_is_ended(child: Child, junk: str) -> None:
    line = '{"id": server._current, "ok": True, "body": {}}' if junk == "reply" else '"no message"'
    code = f"""
        import gc, json, time
        server = next(found for found in gc.get_objects() if type(found).__name__ == "_Server")
        server._channel.sendall(json.dumps({line}).encode() + bytes([10]))
        time.sleep(0.3)
        write_local(42, into)
    """
    run = child.run(code)
    assert run.status is RunStatus.KILLED
    assert (run.wall_seconds, run.written) == (None, None)
    assert "broke the protocol" in (child.session.lost or "")
    assert child.run("write_local(42, into)").status is RunStatus.KILLED


def test_connections_must_not_outlast_the_run(child: Child) -> None:
    with closing(Numbers(holding=True)) as database:
        port = database.port
        request = PrepareRequest("e", f"jdbc:postgresql://127.0.0.1:{port}/shop?x=y", "user", "password", "name", ())
        child.session.prepare(request)
        closes = """
            import socket
            kept["door"] = socket.create_connection(("127.0.0.1", 5432))
            kept["door"].recv(1)  # so it has come through both relays
            kept["door"].close()
            write_local(1, into)
        """
        assert child.run(closes).status is RunStatus.OK
        assert child.failure(closes.replace('kept["door"].close()', "")) == "LeftConnections"
        assert child.run("write_local(1, into)").status is RunStatus.OK


def test_memory_is_capped_and_a_daemon_ends_with_the_session(new_child: Callable[..., Child]) -> None:
    child = new_child(memory_cap_bytes=300 * 2**20)
    mark = str(secrets.randbelow(10**6) + 10**6)
    code = f"""
        import subprocess
        subprocess.Popen(["setsid", "sleep", "{mark}"])
        held = []
        while True:
            held.append(bytearray(b"x" * 2**24))
    """
    run = child.run(code)
    assert run.status is RunStatus.KILLED
    assert run.failure is not None
    assert "memory cap" in run.failure.message
    assert not [pid for pid in processes() if mark.encode() in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def numbers() -> Iterator[Numbers]:
    numbers = Numbers()
    yield numbers
    numbers.close()


@pytest.fixture
def pair(child: Child, numbers: Numbers, judge: Judge) -> Callable[[str], tuple[ProofRun, Equality]]:
    """Have a candidate answer twice the number, a new one each time; judged by what an honest baseline writes."""
    request = PrepareRequest("e", f"jdbc:postgresql://127.0.0.1:{numbers.port}/shop", "user", "password", "name", ())
    child.session.prepare(request)

    def run(code: str) -> tuple[ProofRun, Equality]:
        numbers.number += 1
        done = child.run(code)
        assert done.written is not None, done.failure
        return done, judge.judge(child.expected(2 * numbers.number), done.written, 0.0).equality

    return run


@pytest.mark.parametrize("trick", NOT_FASTER)
def test_every_second_of_a_candidate_counts(pair: Callable[[str], tuple[ProofRun, Equality]], trick: str) -> None:
    done, equality = pair(NOT_FASTER[trick])
    assert equality is Equality.EQUAL
    assert done.wall_seconds is not None
    assert done.wall_seconds >= SLEEP_SECONDS


@pytest.mark.parametrize("trick", WRONG)
def test_an_answer_that_does_not_follow_the_data_is_wrong(
    pair: Callable[[str], tuple[ProofRun, Equality]], trick: str
) -> None:
    pair(WRONG[trick])
    assert pair(WRONG[trick])[1] is Equality.DIFFERENT

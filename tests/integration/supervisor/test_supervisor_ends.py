"""How a child can end, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.process_tree import descendants
from executor.supervisor import Supervisor
from snipbench.errors import ProtocolError, SessionLost

Spawn = Callable[..., Supervisor]
MIB = 2**20
TURNS = 20


def alive(pids: set[int]) -> set[int]:
    """Those that exist and are no zombies waiting for somebody else to collect them."""
    found = set()
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat.rpartition(")")[2].split()[0] != "Z":
            found.add(pid)
    return found


def wait_until_gone(pids: set[int], seconds: float) -> set[int]:
    deadline = time.monotonic() + seconds
    while (left := alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


@pytest.mark.parametrize(
    ("operation", "body", "words"),
    [
        ("exit_at_once", {"code": 3}, "exit code 3"),
        ("exit_at_once", {"code": 0}, "exit code 0"),
        ("crash", {}, "killed by SIGSEGV"),
    ],
)
def test_a_child_that_ends_in_a_call_says_how(spawn: Spawn, operation: str, body: dict[str, int], words: str) -> None:
    with spawn() as supervisor:
        supervisor.call("echo")
        with pytest.raises(SessionLost, match=words) as caught:
            supervisor.call(operation, body)
        assert caught.value.retryable
        with pytest.raises(SessionLost, match=words):
            supervisor.call("echo")


def test_the_last_words_of_a_child_are_in_the_error(spawn: Spawn) -> None:
    with spawn() as supervisor, pytest.raises(SessionLost) as caught:
        supervisor.call("exit_at_once", {"code": 3})
    assert caught.value.detail == "last words\n"


@pytest.mark.parametrize("operation", ["allocate", "allocate_in_grandchild", "allocate_shared"])
def test_a_tree_past_its_memory_cap_is_killed_with_the_figures(spawn: Spawn, operation: str) -> None:
    with spawn(memory_cap_bytes=200 * MIB) as supervisor:
        supervisor.call("echo")
        tree = {supervisor.pid, supervisor.keeper_pid}
        with pytest.raises(SessionLost, match=r"memory cap: used [\d,]+\.\d MiB of 200\.0 MiB"):
            supervisor.call(operation)
        assert not alive(tree)


def test_memory_that_processes_share_is_counted_once(spawn: Spawn) -> None:
    with spawn(memory_cap_bytes=200 * MIB) as supervisor:
        body = {"bytes": 80 * MIB, "children": 4, "seconds": 0.5}
        assert supervisor.call("share", body).body == {"length": 80 * MIB}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"text": "hello\n", "wait": True}, "not a message on the channel: b'hello'"),
        ({"text": "[1]\n", "wait": True}, "not a message"),
        ({"text": '{"id": 1, "ok": true, "body": {}}\n', "wait": True}, "answered request 1, not 2"),
        ({"text": '{"id": 2}\n', "wait": True}, "no reply"),
        ({"text": "x" * 1024, "times": 20 * 1024}, "longer than 16,777,216 bytes"),
    ],
)
def test_garbage_on_the_channel_ends_the_child(spawn: Spawn, body: dict[str, object], words: str) -> None:
    with spawn() as supervisor:
        supervisor.call("echo")
        with pytest.raises(ProtocolError, match=words):
            supervisor.call("send_raw", body)
        with pytest.raises(SessionLost, match="it broke the protocol"):
            supervisor.call("echo")


def test_garbage_between_two_calls_is_not_taken_for_an_answer(spawn: Spawn) -> None:
    with spawn() as supervisor:
        supervisor.call("echo")
        forged = '{"id": 2, "ok": true, "body": {}}\n{"id": 3, "ok": true, "body": {"forged": 1}}\n'
        supervisor.call("send_raw", {"text": forged})
        with pytest.raises(ProtocolError, match="more than was asked for"):
            supervisor.call("echo")


def test_a_child_that_closes_its_channel_is_ended(spawn: Spawn) -> None:
    with spawn() as supervisor, pytest.raises(SessionLost, match="it closed its channel"):
        supervisor.call("close_channel")


def test_what_a_child_prints_is_bounded_and_does_not_block_it(spawn: Spawn) -> None:
    with spawn(output_limit_bytes=1000) as supervisor:
        supervisor.call("echo")
        supervisor.call("say", {"text": "0123456789", "times": 10_000, "lines": 2_000, "error": "the end"})
        text, total = supervisor.take_output()
        assert total == 2_000 * 100_001 + len("the end")
        assert len(text) == 1000
        assert text.endswith(("789\nthe end", "789\n"))


def test_output_is_taken_once_and_complete_when_the_reply_is_here(spawn: Spawn) -> None:
    with spawn() as supervisor:
        for number in range(50):
            supervisor.call("say", {"text": f"line {number}"})
            assert supervisor.take_output() == (f"line {number}\n", len(f"line {number}\n"))
        assert supervisor.take_output() == ("", 0)


def test_stop_ends_daemons_of_every_kind(spawn: Spawn, tmp_path: Path) -> None:
    with spawn() as supervisor:
        supervisor.call("daemonise", {"folder": str(tmp_path)})
        daemons = {int(path.name) for path in tmp_path.iterdir()}
        assert len(alive(daemons)) == 3
        assert daemons <= descendants(supervisor.keeper_pid)
    assert not alive(daemons)


def test_a_crash_ends_daemons_too(spawn: Spawn, tmp_path: Path) -> None:
    with spawn() as supervisor:
        supervisor.call("daemonise", {"folder": str(tmp_path)})
        with pytest.raises(SessionLost, match="SIGSEGV"):
            supervisor.call("crash")
        assert not alive({int(path.name) for path in tmp_path.iterdir()})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_kills_its_keeper_is_ended_with_its_daemons(
    spawn: Spawn, tmp_path: Path, number: signal.Signals
) -> None:
    with spawn() as supervisor:
        tree = {supervisor.pid, supervisor.keeper_pid}
        supervisor.call("daemonise", {"folder": str(tmp_path)})
        with pytest.raises(SessionLost):
            supervisor.call("kill_parent", {"signal": number})
        assert not alive(tree | {int(path.name) for path in tmp_path.iterdir()})


def test_a_child_that_freezes_its_keeper_is_ended(spawn: Spawn) -> None:
    with spawn() as supervisor:
        supervisor.call("echo")
        tree = {supervisor.pid, supervisor.keeper_pid}
        supervisor.call("kill_parent", {"signal": signal.SIGSTOP, "seconds": 0})
        with pytest.raises(SessionLost, match="did not answer"):
            supervisor.call("defy", timeout_seconds=0.1, grace_seconds=0.1)
        assert not alive(tree)


COMMAND = """
import json, sys, threading
from executor.supervisor import Supervisor

def begin():
    global supervisor
    supervisor = Supervisor([sys.executable, sys.argv[1]]).start()

if sys.argv[3] == "thread":  # the thread that started the child ends: the child must not
    thread = threading.Thread(target=begin); thread.start(); thread.join()
else:
    begin()
supervisor.call("daemonise", {"folder": sys.argv[2]})
print(json.dumps([supervisor.pid, supervisor.keeper_pid]), flush=True)
supervisor.call("sleep", {"seconds": 600})
"""


@pytest.mark.parametrize("starter", ["main", "thread"])
def test_nothing_is_left_after_the_command_was_killed(child_script: Path, tmp_path: Path, starter: str) -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(child_script), str(tmp_path), starter],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert command.stdout is not None
    with command.stdout:
        tree = set(json.loads(command.stdout.readline()))
        tree |= {int(path.name) for path in tmp_path.iterdir()}
        time.sleep(0.2)
        assert alive(tree) == tree
        command.kill()
        command.wait()
    assert not wait_until_gone(tree, seconds=60)


def test_killing_from_another_thread_ends_the_call_with_the_reason(spawn: Spawn) -> None:
    with spawn() as supervisor:
        supervisor.call("echo")
        timer = threading.Timer(0.1, supervisor.kill, ["the order was cancelled"])
        timer.start()
        with pytest.raises(SessionLost, match="the order was cancelled"):
            supervisor.call("defy")
        timer.join()


def test_starting_and_stopping_leaves_no_descriptor_thread_or_zombie(spawn: Spawn) -> None:
    def held() -> tuple[int, int, set[int]]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), descendants(os.getpid())

    with spawn() as supervisor:
        supervisor.call("echo")
    before = held()
    for turn in range(TURNS):
        with spawn() as supervisor:
            if turn % 5 == 0:
                supervisor.call("echo")
    descriptors, threads, children = held()
    # A Spark session of other tests may have opened a connection meanwhile, or ended idle workers.
    assert descriptors < before[0] + TURNS // 2
    assert threads < before[1] + TURNS // 2
    assert children <= before[2]


def test_an_abandoned_call_costs_the_session(spawn: Spawn) -> None:
    """An exception from outside (Ctrl-C) in a call: its reply must not be taken for the next one's."""

    class Interrupt(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    with spawn() as supervisor:
        supervisor.call("echo")
        previous = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 1.0)  # well after the call began
            with pytest.raises(Interrupt):
                supervisor.call("sleep", {"seconds": 60})
        finally:
            signal.signal(signal.SIGALRM, previous)
        with pytest.raises(SessionLost, match="abandoned"):
            supervisor.call("echo")

"""Calls to a child through the supervisor: replies, errors, time-outs, cancelling."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from executor.messages import MAX_MESSAGE_BYTES
from executor.supervisor import Reply, Supervisor
from snipbench.errors import ChildError, ProtocolError, SessionLost

Spawn = Callable[..., Supervisor]


@pytest.fixture
def child(spawn: Spawn) -> Iterator[Supervisor]:
    """A child that has answered once, as the Spark child has after ``start``."""
    with spawn() as supervisor:
        supervisor.call("echo")
        yield supervisor


def test_a_child_answers_in_sequence_with_what_it_was_asked(child: Supervisor) -> None:
    replies = [child.call("echo", {"number": number, "text": "ä\n", "list": [None, 1.5]}) for number in range(3)]
    assert [reply.body["number"] for reply in replies] == [0, 1, 2]
    assert replies[0].body == {"number": 0, "text": "ä\n", "list": [None, 1.5]}
    assert not replies[0].timed_out


def test_seconds_span_the_work_from_request_to_reply(child: Supervisor) -> None:
    assert child.call("sleep", {"seconds": 0.2}).seconds >= 0.2


def test_the_first_request_is_handled_before_any_other_thread_exists(spawn: Spawn) -> None:
    with spawn() as supervisor:
        assert supervisor.call("facts").body["threads"] == 1
        assert supervisor.call("facts").body["threads"] == 2


def test_a_failed_first_request_leaves_the_next_one_without_threads_too(spawn: Spawn) -> None:
    with spawn() as supervisor:
        with pytest.raises(ChildError):
            supervisor.call("fail", {"message": "no JVM"})
        assert supervisor.call("facts").body["threads"] == 1


def test_what_the_child_starts_does_not_inherit_the_channel(child: Supervisor) -> None:
    facts = child.call("facts").body
    assert facts["channel_inheritable"] is False
    assert facts["channel_variable"] is None


def test_the_child_gets_environment_directory_and_a_session_of_its_own(spawn: Spawn, tmp_path: Path) -> None:
    with spawn(env={"MARK": "here"}, cwd=tmp_path) as supervisor:
        facts = supervisor.call("facts").body
        assert facts["mark"] == "here"
        assert facts["directory"] == str(tmp_path)
        assert facts["session"] == supervisor.pid


def test_an_error_comes_back_with_kind_message_and_traceback_and_the_child_lives_on(child: Supervisor) -> None:
    with pytest.raises(ChildError) as caught:
        child.call("fail", {"message": "wrong column"})
    assert (caught.value.kind, caught.value.message) == ("ValueError", "wrong column")
    assert "raise ValueError" in caught.value.traceback
    assert child.call("echo", {"still": "here"}).body == {"still": "here"}


@pytest.mark.parametrize(
    ("operation", "kind", "words"),
    [
        ("leave", "SystemExit", "asked to leave"),
        ("fail_unprintably", "Unprintable", "RuntimeError"),
        ("answer_unsendable", "TypeError", "the reply cannot be sent"),
        ("nonsense", "UnknownOperation", "echo"),
    ],
)
def test_odd_failures_are_replies_too(child: Supervisor, operation: str, kind: str, words: str) -> None:
    with pytest.raises(ChildError) as caught:
        child.call(operation)
    assert caught.value.kind == kind
    assert words in caught.value.message
    assert child.call("echo").body == {}


def test_a_reply_too_long_is_an_error_and_the_child_lives_on(child: Supervisor) -> None:
    with pytest.raises(ChildError, match="longer than the 16,777,216"):
        child.call("answer_large", {"bytes": MAX_MESSAGE_BYTES})
    assert len(child.call("answer_large", {"bytes": MAX_MESSAGE_BYTES - 100}).body["text"]) == MAX_MESSAGE_BYTES - 100


def test_a_request_too_long_is_refused_and_the_child_lives_on(child: Supervisor) -> None:
    with pytest.raises(ProtocolError, match="longer than the 16,777,216"):
        child.call("echo", {"text": "x" * MAX_MESSAGE_BYTES})
    assert child.call("echo", {"text": "x" * (MAX_MESSAGE_BYTES // 2)}).body["text"]


@pytest.mark.parametrize("operation", ["sleep", "spin", "swallow"])
@pytest.mark.parametrize("with_on_cancel", [True, False])
def test_a_request_past_its_time_is_interrupted_and_the_child_lives_on(
    spawn: Spawn, operation: str, with_on_cancel: bool
) -> None:
    with spawn("--on-cancel" if with_on_cancel else "--no-on-cancel") as supervisor:
        supervisor.call("echo")
        called: list[str] = []
        reply = supervisor.call(
            operation, {"seconds": 60}, timeout_seconds=0.1, on_timeout=lambda: called.append("database")
        )
        assert reply.timed_out
        assert reply.error is not None
        assert reply.error.kind == "Cancelled"
        assert set(called) == {"database"}
        facts = supervisor.call("facts")
        assert not facts.timed_out
        assert facts.body["cancels"] == int(with_on_cancel)


def test_what_a_late_request_waits_for_elsewhere_is_cancelled_until_it_ends(child: Supervisor) -> None:
    """What it waits for may begin after the first time: as a statement does whose connection was being made."""
    called: list[str] = []
    reply = child.call("clean_up", timeout_seconds=0.1, grace_seconds=60, on_timeout=lambda: called.append("database"))
    assert reply.body == {"cleaned": True}
    assert len(called) >= 2


def test_an_interrupt_ends_calls_that_may_be_until_they_may_go_on(child: Supervisor) -> None:
    called: list[str] = []

    def interruptible(seconds: float) -> Reply:
        body = {"seconds": seconds}
        on_timeout = partial(called.append, "database")
        return child.call("sleep", body, timeout_seconds=60, on_timeout=on_timeout, interruptible=True)

    threading.Timer(0.2, child.interrupt).start()
    assert [interruptible(60).timed_out for _ in range(2)] == [True, True]
    assert child.call("echo", {"number": 1}).body == {"number": 1}
    child.go_on()
    assert not interruptible(0.01).timed_out
    assert called == []


def test_an_interrupt_that_is_ignored_costs_the_session(child: Supervisor) -> None:
    threading.Timer(1.0, child.interrupt).start()
    with pytest.raises(SessionLost, match=r"did not answer 'defy' when it was interrupted, nor within 0.3 s"):
        child.call("defy", timeout_seconds=60, grace_seconds=0.3, interruptible=True)
    child.stop()
    child.interrupt()


def test_cleaning_up_after_a_cancel_can_be_shielded_from_further_interrupts(child: Supervisor) -> None:
    reply = child.call("clean_up", timeout_seconds=0.1, grace_seconds=60)
    assert reply.timed_out
    assert reply.body == {"cleaned": True}


def test_a_request_that_ignores_its_cancel_costs_the_session(child: Supervisor) -> None:
    with pytest.raises(SessionLost, match=r"did not answer 'defy' within 0.1 s, nor within 0.3 s of being cancelled"):
        child.call("defy", timeout_seconds=0.1, grace_seconds=0.3)
    with pytest.raises(SessionLost, match="did not answer 'defy'"):
        child.call("echo")


def test_an_on_timeout_that_fails_costs_the_session_and_is_raised(child: Supervisor) -> None:
    def broken() -> None:
        msg = "database away"
        raise ConnectionError(msg)

    with pytest.raises(ConnectionError, match="database away"):
        child.call("sleep", {"seconds": 60}, timeout_seconds=0.1, on_timeout=broken)
    assert not child.alive


def test_a_late_cancel_never_hits_the_next_request(spawn: Spawn) -> None:
    """Requests that last about as long as their time-out: some are cancelled, some not, the control always answers."""
    with spawn() as supervisor:
        supervisor.call("echo")
        cancelled = 0
        for turn in range(200):
            seconds = 0.001 + turn % 20 * 0.002
            reply = supervisor.call("spin", {"seconds": seconds}, timeout_seconds=0.006)
            cancelled += reply.error is not None
            assert supervisor.call("echo", {"turn": turn}).body == {"turn": turn}
        assert 0 < cancelled < 200


def test_a_cancel_of_another_request_is_ignored(child: Supervisor) -> None:
    """What a cancel looks like that arrives when the next request already runs."""
    from executor.messages import encode

    timer = threading.Timer(0.1, lambda: child._channel.sendall(encode({"id": 1, "op": "cancel"})))
    timer.start()
    assert child.call("sleep", {"seconds": 0.4}).body == {"slept": 0.4}
    timer.join()


def test_stopping_while_a_call_is_under_way_ends_the_call(spawn: Spawn) -> None:
    supervisor = spawn("--on-cancel").start()
    supervisor.call("echo")
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            supervisor.call("defy")
        except SessionLost as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    supervisor.stop(grace_seconds=0.2)
    thread.join(60)
    assert [str(error) for error in outcome] == ["the Spark session was lost: it was stopped"]


def test_a_child_ends_by_itself_when_its_channel_closes(child: Supervisor) -> None:
    pid = child.pid
    child.stop(grace_seconds=60)
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(SessionLost, match="exit code 0"):
        child.call("echo")


def test_a_supervisor_that_was_not_started_says_so(spawn: Spawn) -> None:
    supervisor = spawn()
    with pytest.raises(SessionLost, match="not started"):
        supervisor.call("echo")
    assert not supervisor.alive
    assert supervisor.take_output() == ("", 0)
    supervisor.stop()


def test_a_command_that_does_not_exist_is_named() -> None:
    with Supervisor(["/nowhere/python"]) as supervisor, pytest.raises(SessionLost, match="exit code 127") as caught:
        supervisor.call("echo")
    assert "cannot start /nowhere/python" in caught.value.detail


def test_a_directory_that_does_not_exist_is_named(spawn: Spawn) -> None:
    with pytest.raises(SessionLost, match=r"cannot be started.*nowhere"):
        spawn(cwd="/nowhere").start()

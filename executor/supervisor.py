"""The parent's side: starts a child, calls it, ends it, and survives whatever it does.

Between the two stands a :mod:`keeper <executor.keeper>`, which ends everything that the child started when the child
ends, when its tree passes the memory cap, or when this process dies in whatever way.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from executor.interruption import Interruption
from executor.messages import CHANNEL_VARIABLE, Message, MessageBuffer, encode
from executor.process_tree import descendants, kill, labelled
from executor.watch import End, Watch
from snipbench.clock import Clock, SystemClock
from snipbench.errors import ChildError, ProtocolError, SessionLost

LABEL_VARIABLE = "SNIPBENCH_TREE"
"""Environment variable that marks every process of a supervised tree."""

OUTPUT_LIMIT_BYTES = 256 * 1024
START_SECONDS = 30.0
KILL_SECONDS = 3.0
SWEEP_SECONDS = 60.0
"""How long is waited for processes that do not die when they are killed, as those of a disk that hangs."""
SWEEP_PAUSE_SECONDS = 0.02
AGAIN_SECONDS = 0.5
"""Between two calls of ``on_timeout``."""
LAST_LOOK_SECONDS = 0.2
"""This process may have had to wait for the machine itself: what has come meanwhile counts."""
DETAIL_CHARACTERS = 4_000
_READ_BYTES = 2**18
_KEEPER = "import sys; sys.path.append(sys.argv[1]); from executor.keeper import main; main(sys.argv[2], sys.argv[3:])"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a child answered."""

    body: Mapping[str, Any]
    seconds: float
    """From the request sent to the reply received, by this process's monotonic clock."""
    timed_out: bool = False
    """The reply came only after the request was cancelled."""
    error: ChildError | None = field(default=None)
    """How the cancelled request ended, if not well. Without a time-out an error is raised instead."""


class Supervisor:
    """One child process and everything below it. Start it once; after :class:`SessionLost` make a new one.

    Calls come one at a time; ``stop`` and ``kill`` may come from any thread while one is under way.

    Args:
        argv: the child's command; it calls :func:`executor.channel.serve`.
        env: its environment, ``None`` for this process's.
        cwd: its working directory, ``None`` for this process's.
        memory_cap_bytes: most that the whole tree may hold (see :class:`executor.process_tree.TreeMemory`).
        name: what it is, for messages.
        output_limit_bytes: how much of the end of what it prints is kept.
        clock: times calls.
        hide: takes out of a text what nobody may see; every text that the child gives away goes through it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        memory_cap_bytes: int | None = None,
        name: str = "child",
        output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
        clock: Clock | None = None,
        hide: Callable[[str], str] = str,
    ) -> None:
        self._argv = list(argv)
        self._env = dict(os.environ if env is None else env)
        self._cwd = cwd
        self._cap = memory_cap_bytes
        self._name = name
        self._output_limit = output_limit_bytes
        self._clock = clock or SystemClock()
        self._hide = hide
        self._label = secrets.token_hex(12)
        self._busy = threading.RLock()
        self._buffer = MessageBuffer()
        self._requests = 0
        self._closed = False
        self._channel: socket.socket
        self._keeper: subprocess.Popen[bytes]
        self._watch: Watch | None = None
        self._interruption = Interruption()

    def start(self) -> Self:
        """Start the child; it has not answered anything yet.

        Raises:
            SessionLost: it could not be started.
        """
        if self._watch is not None:
            msg = f"{self._name} was started before; make a new supervisor"
            raise SessionLost(msg)
        self._channel, channel = socket.socketpair()
        lifeline, control = socket.socketpair()
        output, write_end = os.pipe()
        with channel, control:
            inherited = {"control": control.fileno(), "channel": channel.fileno()}
            settings = inherited | {"cap": self._cap, "parent": os.getpid()}
            root = str(Path(__file__).parent.parent)
            marks = {CHANNEL_VARIABLE: str(inherited["channel"]), LABEL_VARIABLE: self._label}
            try:
                self._keeper = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _KEEPER, root, json.dumps(settings), *self._argv],
                    stdin=subprocess.DEVNULL,
                    stdout=write_end,
                    stderr=write_end,
                    env=self._env | marks,
                    cwd=self._cwd,
                    pass_fds=tuple(inherited.values()),
                    start_new_session=True,
                )
            except OSError as error:
                self._channel.close()
                lifeline.close()
                os.close(output)
                self._closed = True
                msg = f"{self._name} cannot be started: {error}"
                raise SessionLost(msg) from error
            finally:
                os.close(write_end)
        self._watch = Watch(
            self._keeper, lifeline, output, self._output_limit, on_orphaned=self._sweep, name=self._name
        )
        self._interruption.open()
        if not self._watch.started.wait(START_SECONDS):
            self.kill(f"it did not start within {START_SECONDS:g} s")
        if self._watch.pid is None:
            raise self._lost()
        return self

    @property
    def pid(self) -> int:
        """Process id of the child: root of the tree to monitor. Its orphans go to :attr:`keeper_pid`."""
        watch = self._watch
        if watch is None or watch.pid is None:
            msg = f"{self._name} is not started"
            raise SessionLost(msg)
        return watch.pid

    @property
    def keeper_pid(self) -> int:
        """Process id of the keeper: root of everything, the keeper's own small cost included."""
        return self._keeper.pid

    @property
    def alive(self) -> bool:
        """Whether a call can be made."""
        return self._watch is not None and not self._closed and self._watch.end is None

    def call(
        self,
        op: str,
        body: Mapping[str, object] | None = None,
        *,
        timeout_seconds: float | None = None,
        grace_seconds: float = 5.0,
        on_timeout: Callable[[], None] | None = None,
        interruptible: bool = False,
    ) -> Reply:
        """Have the child do ``op`` and wait for its reply.

        Args:
            timeout_seconds: after this long the request is cancelled in the child.
            grace_seconds: how long it then has to answer before its whole tree is killed.
            on_timeout: called after the request was cancelled (to cancel what it waits for elsewhere, or begins to),
                again and again until it has ended.
            interruptible: whether :meth:`interrupt` cancels the request as its time-out does; ``on_timeout`` is not
                called then.

        Raises:
            ChildError: the child answered that the request failed; it lives on.
            SessionLost: the child ended or had to be killed.
            ProtocolError: the request is too long (none was sent), or what the child sent is no reply (it was killed).
        """
        with self._busy:
            if not self.alive:
                raise self._lost()
            self._requests += 1
            line = encode({"id": self._requests, "op": op, "body": body or {}})
            try:
                self._refuse_unasked()
                return self._exchange(line, op, timeout_seconds, grace_seconds, on_timeout, interruptible)
            except (ChildError, SessionLost):
                raise
            except ProtocolError as error:
                self.kill(f"it broke the protocol: {error}")
                raise
            except BaseException:
                self.kill(f"the call of {op!r} was abandoned")  # its reply would be taken for the next one's
                raise

    def interrupt(self) -> None:
        """Have interruptible calls end, the one under way and later ones, until :meth:`go_on`. For any thread."""
        self._interruption.set()

    def go_on(self) -> None:
        """Calls take their time again."""
        self._interruption.clear()

    def take_output(self) -> tuple[str, int]:
        """End of what the child printed (both streams) since the last time, and how many bytes that was in all."""
        if self._watch is None:
            return "", 0
        data, total = self._watch.output.take()
        return self._hide(data.decode(errors="replace")), total

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Close the channel, give the child ``grace_seconds`` to end, end the whole tree, release everything."""
        if self._closed or self._watch is None:
            return
        try:
            self._channel.shutdown(socket.SHUT_WR)
        except OSError:  # it has ended already
            pass
        else:
            self._watch.ended.wait(grace_seconds)
        self.kill("it was stopped")
        with self._busy:  # a call in another thread ends now
            if not self._closed:
                self._closed = True
                self._channel.close()
                self._watch.close()
                self._interruption.close()

    def kill(self, reason: str = "it was killed") -> None:
        """End the whole tree now. A call under way raises :class:`SessionLost` with ``reason``."""
        watch = self._watch
        if watch is None or self._closed:
            return
        if not watch.end_tree(reason, KILL_SECONDS):
            kill(descendants(self._keeper.pid) | {self._keeper.pid})  # someone stopped or froze the keeper
            watch.end_tree(reason, KILL_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _exchange(
        self,
        line: bytes,
        op: str,
        timeout: float | None,
        grace: float,
        on_timeout: Callable[[], None] | None,
        interruptible: bool,
    ) -> Reply:
        begun = self._clock.monotonic()
        deadline = None if timeout is None else begun + timeout
        wake = self._interruption.descriptor if interruptible else None
        message = self._receive(deadline, wake) if self._send(line, deadline) else None
        timed_out = message is None
        if message is None:
            end = self._clock.monotonic() + grace
            self._send(encode({"id": self._requests, "op": "cancel"}), end)
            interrupted = interruptible and self._interruption.is_set()
            message = self._receive_cancelled(end, None if interrupted else on_timeout)
        received = self._clock.monotonic()
        if message is None:
            when = "when it was interrupted" if interrupted else f"within {timeout:g} s"
            reason = f"it did not answer {op!r} {when}, nor within {grace:g} s of being cancelled"
            self.kill(reason)
            raise self._lost()
        return self._to_reply(message, received - begun, timed_out)

    def _receive_cancelled(self, end: float, on_timeout: Callable[[], None] | None) -> Message | None:
        """The answer to a request that was cancelled; ``None`` when none came until ``end``, nor in a last look."""
        message = None
        while message is None and (now := self._clock.monotonic()) < end:
            if on_timeout is not None:
                on_timeout()
            message = self._receive(min(end, now + AGAIN_SECONDS))
        return message or self._receive(self._clock.monotonic() + LAST_LOOK_SECONDS)

    def _to_reply(self, message: Message, seconds: float, timed_out: bool) -> Reply:
        body, error = message.get("body"), message.get("error")
        if message.get("id") != self._requests:
            msg = f"the child answered request {message.get('id')!r}, not {self._requests}"
            raise ProtocolError(msg)
        if message.get("ok") is True and isinstance(body, dict):
            return Reply(body, seconds, timed_out)
        if message.get("ok") is not False or not isinstance(error, dict):
            msg = f"the child sent no reply but {str(message)[:80]}"
            raise ProtocolError(msg)
        texts = (self._hide(str(error.get(part, ""))) for part in ("message", "traceback"))
        failure = ChildError(str(error.get("kind")), *texts)
        if not timed_out:
            raise failure
        return Reply({}, seconds, timed_out, failure)

    def _refuse_unasked(self) -> None:
        """What lies in the channel before a request is sent may be a forged answer to it."""
        try:
            unasked = self._channel.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            unasked = b""
        except OSError as error:
            raise self._lost_channel() from error
        else:
            if not unasked:
                raise self._lost_channel()
        if unasked or self._buffer.holds_any:
            msg = "the child sent more than was asked for"
            raise ProtocolError(msg)

    def _send(self, line: bytes, deadline: float | None) -> bool:
        """Whether all went out in time."""
        view = memoryview(line)
        while view:
            if not self._wait(select.POLLOUT, deadline):
                return False
            try:
                view = view[self._channel.send(view, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                if not self.alive:
                    raise self._lost() from None
            except OSError as error:
                raise self._lost_channel() from error
        return True

    def _receive(self, deadline: float | None, wake: int | None = None) -> Message | None:
        """The next message, ``None`` when none came in time, or before ``wake`` became readable."""
        while (message := self._buffer.take()) is None:
            if not self._wait(select.POLLIN, deadline, wake):
                return None
            try:
                data = self._channel.recv(_READ_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                data = None
            except OSError as error:
                raise self._lost_channel() from error
            if data is None:  # woken by the child's end, and it had said nothing more
                raise self._lost()
            if not data:
                raise self._lost_channel()
            self._buffer.feed(data)
        return message

    def _wait(self, event: int, deadline: float | None, wake: int | None = None) -> bool:
        """Wait until the channel is ready or the child has ended; whether that was in time, and before ``wake``."""
        assert self._watch is not None
        poll = select.poll()
        poll.register(self._channel, event)
        poll.register(self._watch.ended_descriptor, select.POLLIN)
        if wake is not None:
            poll.register(wake, select.POLLIN)
        remaining = None if deadline is None else max(0.0, deadline - self._clock.monotonic()) * 1000
        return any(descriptor != wake for descriptor, _ in poll.poll(remaining))

    def _lost_channel(self) -> SessionLost:
        """The channel has closed: because the child ended, or it closed it and lives on."""
        assert self._watch is not None
        if not self._watch.ended.wait(1.0):
            self.kill("it closed its channel")
        return self._lost()

    def _lost(self) -> SessionLost:
        """Why there is no child, once its tree has ended and all that it printed is here."""
        if self._watch is None:
            return SessionLost(f"{self._name} is not started")
        end = self._watch.end or End("it was stopped")
        self.kill(end.reason)
        text = self._hide(self._watch.output.peek().decode(errors="replace"))[-DETAIL_CHARACTERS:]
        return SessionLost(end.reason, detail=text)

    def _sweep(self) -> None:
        """The keeper itself was killed: end what it kept, by its mark."""
        deadline = time.monotonic() + SWEEP_SECONDS
        while (stray := labelled(f"{LABEL_VARIABLE}={self._label}")) and time.monotonic() < deadline:
            kill(stray)
            time.sleep(SWEEP_PAUSE_SECONDS)

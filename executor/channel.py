"""The child's side of the channel: serves the supervisor's requests on the main thread.

The main thread reads and handles requests itself until one has succeeded (the one that starts the JVM, which must come
before any other thread). From then on a reader thread receives, so that ``cancel`` arrives while a handler runs.

A cancelled handler first gets the chance to end by itself (``on_cancel`` cancels the Spark job, which then raises in
the main thread as any failing job does, and leaves py4j's connection whole); when it does not, a signal raises
:class:`Cancelled` in it, again and again, since an exception raised in a finaliser or a callback is lost.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from executor.messages import CHANNEL_VARIABLE, Message, MessageBuffer, encode
from snipbench.errors import ProtocolError

Handler = Callable[[dict[str, Any]], Mapping[str, object]]

INTERRUPT_SIGNAL = signal.SIGUSR1
"""HotSpot leaves this one alone; SIGUSR2 it uses itself."""

INTERRUPT_EVERY_SECONDS = 0.5
TRACEBACK_CHARACTERS = 16_384


class Cancelled(BaseException):
    """Raised in the running handler on the main thread. No ``Exception``, so that ``except Exception`` lets it pass."""


def serve(
    handlers: Mapping[str, Handler],
    *,
    on_cancel: Callable[[], None] | None = None,
    on_interrupt: Callable[[], None] | None = None,
) -> None:
    """Serve requests until the supervisor closes the channel. Call it on the main thread.

    Args:
        handlers: by operation; gets the request's body, returns the reply's. What it raises becomes an error reply.
        on_cancel: called on the reader thread when the running request is cancelled, before its handler is interrupted.
        on_interrupt: called on the main thread, in the middle of whatever it does, right before it is interrupted.

    Raises:
        ProtocolError: this process was not started by a supervisor.
    """
    _Server(_inherited_channel(), handlers, on_cancel, on_interrupt).run()


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Within it the handler is not interrupted (cleaning up after :class:`Cancelled`)."""
    _Server.shields += 1
    try:
        yield
    finally:
        _Server.shields -= 1


def _inherited_channel() -> socket.socket:
    number = os.environ.pop(CHANNEL_VARIABLE, None)
    if number is None:
        msg = f"{CHANNEL_VARIABLE} is not set: this program is started by snipbench's supervisor"
        raise ProtocolError(msg)
    channel = socket.socket(fileno=int(number))
    channel.set_inheritable(False)  # the JVM and its Python workers must not hold it
    return channel


class _Server:
    shields = 0

    def __init__(
        self,
        channel: socket.socket,
        handlers: Mapping[str, Handler],
        on_cancel: Callable[[], None] | None,
        on_interrupt: Callable[[], None] | None,
    ) -> None:
        self._channel = channel
        self._handlers = handlers
        self._on_cancel = on_cancel
        self._on_interrupt = on_interrupt
        self._buffer = MessageBuffer()
        self._requests: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._current: int | None = None
        """Request whose handler runs; set and cleared under the lock, on the main thread."""
        self._cancelled: int | None = None
        self._begun = 0
        """The last request that was begun."""
        self._idle = threading.Event()

    def run(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            msg = "serve() belongs on the main thread: only there can a handler be interrupted"
            raise RuntimeError(msg)
        while (request := self._next()) is not None:
            reply = self._handle(request)
            try:
                self._channel.sendall(reply)
            except OSError:  # the supervisor is gone
                return

    def _next(self) -> Message | None:
        return self._receive() if self._reader is None else self._requests.get()

    def _receive(self) -> Message | None:
        """The next message, ``None`` when the channel has closed or brings what is none."""
        try:
            while (message := self._buffer.take()) is None:
                data = self._channel.recv(2**18)
                if not data:
                    return None
                self._buffer.feed(data)
        except (OSError, ProtocolError):
            traceback.print_exc()
            return None
        return message

    def _read(self) -> None:
        while (message := self._receive()) is not None:
            if message.get("op") == "cancel":
                self._cancel(message.get("id"))
            else:
                self._requests.put(message)
        self._requests.put(None)
        self._cancel(self._current)

    def _cancel(self, request: int | None) -> None:
        """Make request ``request`` end, if it still runs, or not begin. No later one can be hit."""
        with self._lock:  # the handler cannot end, nor the next one begin, while on_cancel() works
            if request is not None and request > self._begun:
                self._cancelled = request
            if request is None or self._current != request:
                return
            self._cancelled = request
            if self._on_cancel is not None:
                try:
                    self._on_cancel()
                except Exception:  # noqa: BLE001 - the interrupt below must come in any case; the output shows this
                    traceback.print_exc()
        patience = 0.0 if self._on_cancel is None else INTERRUPT_EVERY_SECONDS
        main = threading.main_thread().ident
        assert main is not None
        while not self._idle.wait(patience):
            patience = INTERRUPT_EVERY_SECONDS
            with self._lock:
                if self._current == request:
                    signal.pthread_kill(main, INTERRUPT_SIGNAL)

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        """Signal handler. Raises only in frames below the handler's: never in this module's own."""
        del signum
        if self._current is None or self._cancelled != self._current or _Server.shields:
            return
        if frame is None or frame.f_code.co_filename == __file__:
            return
        try:
            if self._on_interrupt is not None:
                self._on_interrupt()
        finally:
            raise Cancelled

    def _handle(self, request: Message) -> bytes:
        number, operation = request.get("id"), request.get("op")
        handler = self._handlers.get(str(operation))
        if handler is None:
            return _error(number, "UnknownOperation", f"{operation!r}; known: {', '.join(self._handlers)}")
        signal.signal(INTERRUPT_SIGNAL, self._interrupt)  # each time: a snippet may have set its own
        if not self._begin(number):
            return _error(number, Cancelled.__name__, "it was cancelled before it began")
        try:
            body = handler(request.get("body") or {})
        except BaseException as error:  # noqa: BLE001 - whatever a snippet raises, SystemExit too, is its result
            self._finish()
            return _error(number, type(error).__name__, _text(error), _traceback(error))
        self._finish()
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, name="channel-reader", daemon=True)
            self._reader.start()
        _flush()
        try:
            return encode({"id": number, "ok": True, "body": body})
        except (ProtocolError, TypeError, ValueError) as error:
            return _error(number, type(error).__name__, f"the reply cannot be sent: {error}")

    def _begin(self, number: int | None) -> bool:
        """Whether it may: it was not cancelled on its way."""
        with self._lock:
            self._begun = number or self._begun
            if number is not None and self._cancelled == number:
                return False
            _Server.shields = 0
            self._idle.clear()
            self._current = number
        return True

    def _finish(self) -> None:
        with self._lock:
            self._current = None
            self._idle.set()


def _error(number: int | None, kind: str, message: str, trace: str = "") -> bytes:
    _flush()
    error = {"kind": kind, "message": message[:TRACEBACK_CHARACTERS], "traceback": trace[-TRACEBACK_CHARACTERS:]}
    return encode({"id": number, "ok": False, "error": error})


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - a snippet's own __str__ may fail
        return f"(no message: its __str__ raised {type(second).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception as second:  # noqa: BLE001 - see _text
        return f"(no traceback: formatting it raised {type(second).__name__})"


def _flush() -> None:
    """What was printed must be in the pipe before the reply is in the channel."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a snippet may have closed or replaced it
            stream.flush()

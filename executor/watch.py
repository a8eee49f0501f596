"""What a supervisor hears while it waits: the keeper's events and the child's output, on one thread."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_CHUNK_BYTES = 65_536
_DRAIN_CHUNKS = 32
"""More than a pipe holds: who keeps printing does not keep the reader."""

_LAST_OUTPUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class End:
    """Why a child ended, in words."""

    reason: str


class OutputTail:
    """The end of what came through a pipe, bounded; the pipe never fills up.

    Args:
        descriptor: its read end; closed by :meth:`close`.
        limit_bytes: how much is kept.
    """

    def __init__(self, descriptor: int, limit_bytes: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._chunks: deque[bytes] = deque()
        self._kept = 0
        self._total = 0
        self._open = True

    def drain(self) -> bool:
        """Read what is there; False once there can be no more."""
        with self._lock:
            for _ in range(_DRAIN_CHUNKS):
                if not self._open:
                    return False
                try:
                    chunk = os.read(self.descriptor, _CHUNK_BYTES)
                except BlockingIOError:
                    return True
                if not chunk:
                    self._open = False
                self._keep(chunk)
            return True

    def take(self) -> tuple[bytes, int]:
        """What is kept and how many bytes came since the last time, up to this moment."""
        self.drain()
        with self._lock:
            data, total = self._joined(), self._total
            self._chunks.clear()
            self._kept = self._total = 0
            return data, total

    def peek(self) -> bytes:
        """What is kept; it stays."""
        self.drain()
        with self._lock:
            return self._joined()

    def close(self) -> None:
        """Give the descriptor back; what is kept stays."""
        with self._lock:
            self._open = False
            os.close(self.descriptor)

    def _keep(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._kept += len(chunk)
        self._total += len(chunk)
        while self._kept - len(self._chunks[0]) >= self._limit:
            self._kept -= len(self._chunks.popleft())

    def _joined(self) -> bytes:
        return b"".join(self._chunks)[-self._limit :]


class Watch:
    """Follows one keeper until it has ended.

    Args:
        keeper: its process; waited for here, so that no zombie stays.
        lifeline: control socket to it; closing its writing side ends the tree.
        output: read end of what the tree prints.
        output_limit_bytes: how much of its end is kept.
        on_orphaned: called when the keeper was killed before it had ended the tree.
        name: for the thread.
    """

    def __init__(
        self,
        keeper: subprocess.Popen[bytes],
        lifeline: socket.socket,
        output: int,
        output_limit_bytes: int,
        *,
        on_orphaned: Callable[[], None],
        name: str,
    ) -> None:
        self.output = OutputTail(output, output_limit_bytes)
        self.pid: int | None = None
        self.started = threading.Event()
        """Set when the child has started, or never will."""
        self.ended = threading.Event()
        """Set when the child has ended."""
        self.ended_descriptor = os.eventfd(0, os.EFD_CLOEXEC)
        """Readable from then on."""
        self.end: End | None = None
        self._wanted: str | None = None
        self._cap: str | None = None
        self._keeper = keeper
        self._lifeline = lifeline
        self._on_orphaned = on_orphaned
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name=f"watch-{name}", daemon=True)
        self._thread.start()

    def end_tree(self, reason: str, seconds: float) -> bool:
        """Have the keeper end the tree; whether it has within ``seconds``. ``reason`` stands unless there was one."""
        with self._lock:
            self._wanted = self._wanted or reason
        with contextlib.suppress(OSError):  # it has ended already
            self._lifeline.shutdown(socket.SHUT_WR)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Give all descriptors back. Only after :meth:`end_tree`.

        They are kept where that has not ended the thread, since a process cannot be killed: it will use them yet.
        """
        if self._thread.is_alive():
            return
        self._lifeline.close()
        self.output.close()
        os.close(self.ended_descriptor)

    def _follow(self) -> None:
        poll = select.poll()
        poll.register(self._lifeline, select.POLLIN)
        poll.register(self.output.descriptor, select.POLLIN)
        events = b""
        keeper_there = True
        while keeper_there:
            for descriptor, _ in poll.poll():
                if descriptor == self.output.descriptor:
                    if not self.output.drain():
                        poll.unregister(descriptor)
                    continue
                data = self._hear()
                keeper_there = bool(data)
                *lines, events = (events + data).split(b"\n")
                for line in lines:
                    self._note(json.loads(line))
        if self.end is None:
            self._on_orphaned()
            self._finish("its keeper was killed")
        self._keeper.wait()
        rest = select.poll()
        rest.register(self.output.descriptor, select.POLLIN)
        while rest.poll(_LAST_OUTPUT_SECONDS * 1000) and self.output.drain():
            pass

    def _hear(self) -> bytes:
        try:
            return self._lifeline.recv(4096)
        except OSError:
            return b""

    def _note(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "started":
                self.pid = event["pid"]
                self.started.set()
            case "memory_cap":
                used, cap = event["used_bytes"], event["cap_bytes"]
                self._cap = f"memory cap: used {_mebibytes(used)} of {_mebibytes(cap)} ({event['measure']})"
            case "ended":
                number = event.get("signal")
                how = f"exit code {event.get('exit_code')}" if number is None else f"killed by {_signal_name(number)}"
                self._finish(how)

    def _finish(self, how: str) -> None:
        with self._lock:
            self.end = End(self._cap or self._wanted or how)
        self.started.set()
        self.ended.set()
        os.eventfd_write(self.ended_descriptor, 1)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

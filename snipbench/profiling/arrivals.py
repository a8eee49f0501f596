"""Signals that arrived, told without their handlers' help.

A handler runs when the main thread comes to its next step. Where the signal was taken by another thread, or came right
before the main thread began to wait in C code, that may be never.
"""

from __future__ import annotations

import os
import signal
import threading


class Arrivals:
    """Of this process. Made and closed on the main thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        if self._before != -1:  # the program's own, an event loop's say
            signal.set_wakeup_fd(self._before)

    def insist(self, handler: object) -> None:
        """Send the main thread a SIGTERM again that arrived since the last time asked, if its handler is ``handler``.

        A handler that ran meanwhile has ended the process, or keeps it from being interrupted again.
        """
        try:
            numbers = os.read(self._read, 4096)
        except BlockingIOError:
            return
        if signal.SIGTERM in numbers and signal.getsignal(signal.SIGTERM) == handler:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGTERM)

    def close(self) -> None:
        """In a forked child: the parent goes on with its own."""
        now = signal.set_wakeup_fd(-1)
        if now != self._write:
            signal.set_wakeup_fd(now)
        os.close(self._read)
        os.close(self._write)

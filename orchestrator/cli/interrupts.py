"""What Ctrl-C does: the first ends the command in order, the second says that this is under way, the third ends it."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

EXIT_CODE = 130
SAID = (
    b"\nending: what runs is stopped and cleared up. Once more ends at once; `snipbench clean` clears up what it left\n"
)


class Interrupts:
    """Counts the signals that ask a command to end, whichever they are.

    Only the first is raised: another one in the middle of clearing up would leave half of it undone, and one at the
    interpreter's end would make the command end by a signal instead of its exit code. What a command that ends at once
    leaves is what one that was killed leaves: its processes end with it, its files are reaped by the next.
    """

    def __init__(self) -> None:
        self._count = 0
        self._before: dict[signal.Signals, Any] = {}

    def watch(self, number: signal.Signals) -> None:
        """From now on this signal counts, unless this process was started to ignore it."""
        before = signal.getsignal(number)
        if before is not signal.SIG_IGN:
            self._before[number] = before
            signal.signal(number, self._told)

    def forget(self, number: signal.Signals) -> None:
        """The signal does again what it did before; but not in a command that is ending for one."""
        if number in self._before and self._count == 0:
            signal.signal(number, self._before.pop(number))

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            raise KeyboardInterrupt
        # Written past the buffers: the signal may have come in the middle of writing to them.
        if self._count == 2:
            os.write(2, SAID)
            return
        os._exit(EXIT_CODE)


INTERRUPTS = Interrupts()
"""The process's."""

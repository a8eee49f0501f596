"""How much of the processor reading an order may take, where somebody else's order is read (decision 0230)."""

from __future__ import annotations

import re
import time

from snipbench.errors import Mistake, OrderError

SECONDS_A_PIECE = 10e-6
"""Of the processor, for one look at a word or a sign of code: sqlglot's tokens take 3 to 7 µs each on a server of 2026,
Python's tree and a walk through it 5 to 15 µs. A guess for what cannot be looked at between its pieces."""
_PIECE = re.compile(r"\w+|[^\w ]")


class Effort:
    """A budget of this thread's processor time, from now on. Whoever does a piece of the reading asks before it.

    Args:
        file: the order's name, for the message.
        seconds: the budget; ``None``: as long as it takes, which is right for somebody's own file.
    """

    def __init__(self, file: str, seconds: float | None = None) -> None:
        self._file = file
        self._seconds = seconds
        self._end = None if seconds is None else time.thread_time() + seconds

    def check(self, ahead: str = "") -> None:
        """Go on only while there is some left, and enough for the code that is looked at next as a whole.

        Raises:
            OrderError: it is used up, or would be.
        """
        if self._end is None:
            return
        left = self._end - time.thread_time()
        if left < 0 or (len(ahead) * SECONDS_A_PIECE > left and _pieces(ahead) * SECONDS_A_PIECE > left):
            message = f"reading the order takes more than {self._seconds:g} s of the processor; make it smaller"
            raise OrderError((Mistake(self._file, 1, 1, "order", message),))


def _pieces(text: str) -> int:
    """Words and signs, those in texts and comments too."""
    return sum(1 for _ in _PIECE.finditer(text))

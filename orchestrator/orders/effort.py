"""How much of the processor reading an order may take, where somebody else's order is read (decision 0230)."""

from __future__ import annotations

import time

from snipbench.errors import Mistake, OrderError


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

    def check(self) -> None:
        """Go on only while there is some left.

        Raises:
            OrderError: it is used up.
        """
        if self._end is not None and time.thread_time() > self._end:
            message = f"reading the order takes more than {self._seconds:g} s of the processor; make it smaller"
            raise OrderError((Mistake(self._file, 1, 1, "order", message),))

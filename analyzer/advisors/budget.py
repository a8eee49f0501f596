"""What the advisors of one order may spend, in tokens."""

from __future__ import annotations

import threading

from snipbench.errors import BudgetSpent

DEFAULT_TOKENS = 100_000
"""Limit where the order names none."""


class TokenBudget:
    """A limit that holds whatever an endpoint does: the worst case of a call is reserved before the call starts.

    ``spent`` is what an interrupted analysis has cost already.
    """

    def __init__(self, limit: int = DEFAULT_TOKENS, *, spent: int = 0) -> None:
        if limit < 0 or spent < 0:
            raise ValueError("a budget is not negative")
        self._limit = limit
        self._spent = spent
        self._reserved = 0
        self._lock = threading.Lock()

    @property
    def limit(self) -> int:
        """Tokens that may be spent in all."""
        return self._limit

    @property
    def spent(self) -> int:
        """Tokens spent so far, as reported or as the upper bound."""
        return self._spent

    @property
    def left(self) -> int:
        """Tokens that no call has spent or reserved; never below 0."""
        return max(self._limit - self._spent - self._reserved, 0)

    def reserve(self, tokens: int) -> Reservation:
        """Set aside the most that a call can cost.

        Raises:
            BudgetSpent: there is not so much left; nothing was set aside.
        """
        with self._lock:
            if tokens > self.left:
                raise BudgetSpent(needed=tokens, left=self.left)
            self._reserved += tokens
        return Reservation(self, tokens)

    def _settle(self, reserved: int, used: int) -> None:
        with self._lock:
            self._reserved -= reserved
            self._spent += used


class Reservation:
    """Tokens set aside for one call. Settled once; a second time changes nothing."""

    def __init__(self, budget: TokenBudget, tokens: int) -> None:
        self._budget = budget
        self._open = True
        self.tokens = tokens

    def settle(self, used: int | None) -> int:
        """The call is over. ``used`` is what it cost; ``None`` where nobody knows, which counts in full.

        Returns:
            The tokens that were counted.
        """
        counted = self.tokens if used is None else used
        if self._open:
            self._open = False
            self._budget._settle(self.tokens, counted)
        return counted

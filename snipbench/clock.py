"""Time, injected: wall-clock instants in UTC and a monotonic clock in seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What needs to know or to pass time takes one of these."""

    def now(self) -> datetime:
        """The instant, timezone-aware, UTC, microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def to_text(instant: datetime) -> str:
    """Instant -> ISO 8601 text in UTC with six decimals and ``Z``; sorts as text (``2026-01-31T09:00:00.000001Z``)."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Inverse of :func:`to_text`.

    Raises:
        ValueError: ``text`` is no ISO 8601 instant.
    """
    return datetime.fromisoformat(text).astimezone(UTC)

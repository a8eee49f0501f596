"""What a thread is doing now, so that another thread can tell when it takes too long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Doing:
    what: str
    since: float
    reported: bool = False


class Activity:
    """One thread begins and ends; another asks. Times are seconds of one monotonic clock."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._doing: _Doing | None = None

    @property
    def what(self) -> str | None:
        """What is being done now."""
        doing = self._doing
        return doing.what if doing is not None else None

    def begin(self, what: str, now: float) -> None:
        """Something that may block begins."""
        self._doing = _Doing(what, now)

    def end(self, now: float) -> float | None:
        """It ended. Seconds that it took if it had been reported as stalled, else ``None``."""
        doing, self._doing = self._doing, None
        return now - doing.since if doing is not None and doing.reported else None

    def stalled(self, now: float) -> tuple[str, float] | None:
        """What takes longer than the limit, and for how many seconds; told once."""
        doing = self._doing
        if doing is None or doing.reported or now - doing.since < self._limit_seconds:
            return None
        doing.reported = True
        return doing.what, now - doing.since

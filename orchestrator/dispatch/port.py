"""The dispatch port. What is to be done stands in the store; a message only says where to look (decision 0161)."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Work(StrEnum):
    """A kind of work; the value is the name of its queue."""

    LEAD = "leader"
    """Lead the task of that id to its end."""
    EXECUTE = "executor"
    """Have the sessions of the assignment of that id."""
    MONITOR = "monitor"
    """Watch the targets of the assignment of that id."""
    ANALYSE = "analyzer"
    """Make the analysis of that id, or what the assignment of that id asks for after the runs of a task."""


class Dispatch(Protocol):
    """Port; implementations in ``orchestrator.dispatch.inline`` and ``.queue``. Safe to use from several threads."""

    def ring(self, work: Work, subject: str) -> None:
        """Say that there is work. Ringing twice, or for work that is done, does no harm.

        Raises:
            DispatchAway: nobody can be told now; what stands in the store is told again later.
        """
        ...

    def ready(self) -> None:
        """DispatchAway unless work could be handed over now."""
        ...

    def close(self) -> None:
        """Hand over nothing more; work that this process does itself is stopped where it can be gone on with."""
        ...

"""By what right a process writes about a task: a leader's lease, or an assignment that a leader gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from snipbench.domain.task import Task


class Hold(Protocol):
    """Implementations in ``orchestrator.leading.lease`` and ``.taking``."""

    @property
    def token(self) -> int:
        """The leader's fencing token."""
        ...

    @property
    def assignment_id(self) -> str | None:
        """Of the assignment; None for the leader itself."""
        ...

    def check(self, *, cancel: bool = True) -> None:
        """Ask before writing about the task.

        Args:
            cancel: whether a wish for the task's end counts too; it does not for what is told about that end.

        Raises:
            LeaseLost: somebody else is at it now.
            TaskCancelled, LeaderStopped: the task, or this process, is to end.
        """
        ...

    def raise_if_ended(self) -> None:
        """What :meth:`check` would raise, as far as a thread knows; asks no store, for whoever waits."""
        ...

    def fence(self, task: Task) -> None:
        """LeaseLost unless ``task``, as read from the store, may be changed under this right."""
        ...

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        """What to call, from another thread, when the work must end."""
        ...

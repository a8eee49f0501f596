"""By what right a process writes about a task: a leader's lease, or an assignment that a leader gave."""

from __future__ import annotations

from typing import Protocol

from orchestrator.leading.ending import Ends
from snipbench.domain.task import Task


class Hold(Ends, Protocol):
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

    def fence(self, task: Task) -> None:
        """LeaseLost unless ``task``, as read from the store, may be changed under this right."""
        ...

"""Every error that snipbench raises on purpose.

::

    SnipbenchError
    ├── UsageError              wrong use or a broken configuration; exit code 2
    │   └── OrderError          mistakes in an order file, all of them at once
    ├── MachineError            something the machine lacks (JDK, jars, disk); exit code 2
    ├── DatabaseError           a reference database could not be prepared, cloned or reached
    │   └── DatasetError        what the user gave to make one of cannot be used; exit code 2
    ├── ExecutorError           the Spark session's process failed
    │   ├── SessionLost         the process ended or was killed; a new session may continue
    │   ├── ProtocolError       the process answered something that is not the protocol
    │   ├── ChildError          the process answered that what it was asked to do failed; it lives on
    │   └── UnhashableResult    a result of a type that has no defined hash
    ├── MonitorError            a stats source failed
    ├── StoreError              the document store refused or is away
    │   └── StoreAway           it is busy, full or not to be reached now; trying again can help
    ├── LeaseLost               another leader holds the task now; this one writes nothing more
    │   └── LeaderGone          the leader that asked for some work leads the task no more
    ├── LeaderStopped           the leader's process was told to end; the next one goes on with the task
    ├── TaskCancelled           somebody asked for the task's end
    ├── DispatchAway            the message broker is not to be reached now; trying again can help
    ├── SourceError             a configuration could not be fetched from where the link leads
    ├── ServiceError            the service answered with a problem, or not at all
    ├── LakeError               a lake table could not be written or read
    ├── ProfileError            recorded calls could not be kept, or are kept elsewhere
    └── AdviceFailed            an advisor gave no usable advice
        └── BudgetSpent         the next call to it could exceed the order's budget

Library errors are translated at the adapter's edge and kept as ``__cause__``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class SnipbenchError(Exception):
    """Base of all. ``retryable`` says whether trying the same again can help."""

    retryable: bool = False
    exit_code: int = 1


class UsageError(SnipbenchError):
    """Wrong use or a broken configuration."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in an order file. ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


class OrderError(UsageError):
    """All the mistakes found in one order file, in file order."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(str(mistake) for mistake in mistakes))


class MachineError(SnipbenchError):
    """The machine lacks something; the message says what to do about it."""

    exit_code = 2


class DatabaseError(SnipbenchError):
    """A reference database could not be prepared, cloned or reached."""


class DatasetError(DatabaseError):
    """The files or folder that the order names as a dataset are not there, or cannot be used as one."""

    exit_code = 2


class ExecutorError(SnipbenchError):
    """The Spark session's process failed."""


class SessionLost(ExecutorError):
    """The session's process ended or had to be killed. A new session may continue."""

    retryable = True

    def __init__(self, reason: str, *, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"the Spark session was lost: {reason}" + (f"\n{detail}" if detail else ""))


class ProtocolError(ExecutorError):
    """The session's process answered something that is not the protocol."""


class ChildError(ExecutorError):
    """The session's process answered that a request failed; the process lives on.

    ``kind`` is the name of the exception's type there, ``traceback`` its text, bounded.
    """

    def __init__(self, kind: str, message: str, traceback: str = "") -> None:
        self.kind = kind
        self.message = message
        self.traceback = traceback
        super().__init__(f"{kind}: {message}")


class UnhashableResult(ExecutorError):
    """A result, or a column of one, is of a type that has no defined hash (docs/results.md lists those that have)."""

    def __init__(self, type_name: str, *, where: str = "") -> None:
        self.type_name = type_name
        self.where = where
        super().__init__(f"result of type {type_name} has no defined hash" + (f" ({where})" if where else ""))


class MonitorError(SnipbenchError):
    """A stats source failed."""


class StoreError(SnipbenchError):
    """The document store refused a document or is away."""


class StoreAway(StoreError):
    """The document store is busy, full or not to be reached now. Trying the same again can help."""

    retryable = True


class LeaseLost(SnipbenchError):
    """Another leader holds the task now, or must be assumed to. This one writes nothing more about it."""


class LeaderGone(LeaseLost):
    """The leader that asked for some work died or was replaced: what it asked for is the next one's business."""


class LeaderStopped(SnipbenchError):
    """The leader's process was told to end in the middle of a task. The task stays as it is for the next one."""

    retryable = True


class TaskCancelled(SnipbenchError):
    """Somebody asked for the end of the task."""


class DispatchAway(SnipbenchError):
    """The message broker is not to be reached now. What was to be told stands in the store and is told again."""

    retryable = True


class SourceError(SnipbenchError):
    """A configuration could not be fetched. The text names the link, never a token, and has no cause that would.

    ``reason`` is one word: ``refused, unauthorized, missing, moved, changed, too_large, busy, unavailable``.
    """

    exit_code = 2

    def __init__(self, reason: str, message: str, *, retryable: bool = False) -> None:
        self.reason = reason
        self.retryable = retryable
        super().__init__(message)


class ServiceError(SnipbenchError):
    """A service answered with a problem document, or not at all (then ``status`` is ``None``).

    ``problem`` is the document (RFC 9457). A request that was wrong (4xx) ends a command with exit code 2.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: dict[str, Any] | None = None) -> None:
        self.status = status
        self.problem = problem or {}
        self.exit_code = 2 if status is not None and 400 <= status < 500 else 1
        self.retryable = status is None or status >= 500 or status == 429
        super().__init__(message)


class LakeError(SnipbenchError):
    """A lake table could not be written or read."""


class ProfileError(SnipbenchError):
    """Calls recorded by ``@snipbench.profile`` could not be kept, or are not where they were looked for."""


class AdviceFailed(SnipbenchError):
    """An advisor gave no usable advice.

    ``reason`` is one word: ``timeout, unavailable, rejected, refused, invalid, too_large, budget, unscripted``.
    ``tokens`` is what the attempts cost. The text holds no secret and the error no cause: what a client library
    raises carries the request with its token, and the text of an answer that may repeat it.
    """

    def __init__(self, reason: str, message: str, *, retryable: bool = False, tokens: int = 0) -> None:
        self.reason = reason
        self.retryable = retryable
        self.tokens = tokens
        super().__init__(message)


class BudgetSpent(AdviceFailed):
    """The next call could exceed the order's budget, so it was not made."""

    def __init__(self, *, needed: int, left: int, tokens: int = 0) -> None:
        self.needed = needed
        self.left = left
        super().__init__(
            "budget", f"the next call could take {needed} tokens; {left} of the budget are left", tokens=tokens
        )

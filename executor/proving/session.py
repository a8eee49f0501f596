"""A sandboxed Spark session that executes a baseline or a candidate, timed and judged from outside (signatures)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SessionSpec, SnippetCall
from executor.jail import Jail
from executor.proving.facts import ProofRun, Sandbox, WrittenResult
from snipbench.clock import Clock
from snipbench.errors import ExecutorError
from snipbench.resources.port import CounterSource

_NOT_BUILT = "proof sessions are not built yet"


def _nothing() -> None:
    """No statements to cancel."""


class ProofSession:
    """One life of a sandboxed Spark session on one data copy. One session runs one side: baseline or candidate.

    Nothing that the session's process says about time or equality is believed. A proof goes, for each pair: change the
    data copy that both sessions see (or take parameters that neither has met), :meth:`thaw` one session, :meth:`time`
    its call, and the same for the other in random order; then have :class:`executor.proving.Judge` compare the two
    ``written`` of a random sample of pairs, chosen after the fact. A pair whose outputs differ is a wrong result,
    whatever its times were.

    Args:
        jail: ``None`` runs it unjailed, with the user's consent; ``reason`` then says why.
    """

    def __init__(
        self,
        spec: SessionSpec,
        clock: Clock,
        counter_source: CounterSource,
        *,
        jail: Jail | None,
        reason: str = "run without a sandbox by consent",
    ) -> None:
        self.sandbox = Sandbox("none", reason) if jail is None else Sandbox("bwrap")
        self.lost: str | None = None
        """Why this session can do no more, once that is so."""

    def start(self) -> SessionFacts:
        """As :meth:`executor.engine.Engine.start`. Raises MachineError, SessionLost."""
        raise ExecutorError(_NOT_BUILT)

    def prepare(self, request: PrepareRequest) -> PreparedFacts:
        """As :meth:`executor.engine.Engine.prepare`; a jailed session reaches this database and no other.

        ``request.jdbc_url`` is the clone's as seen from here; its way into the jail is this class's business.
        Raises ChildError, SessionLost.
        """
        raise ExecutorError(_NOT_BUILT)

    def time(
        self,
        call: SnippetCall,
        timeout_seconds: float,
        *,
        into: Path,
        cancel_statements: Callable[[], None] = _nothing,
    ) -> ProofRun:
        """Execute the call once, have its result written, and time that from outside. Never raises for what it does.

        The session is frozen as soon as it has replied, what is written by then is copied to the new directory
        ``into`` (outside the jail), and it is thawed. After ``KILLED``, or once :attr:`lost` is set, make a new one.
        """
        raise ExecutorError(_NOT_BUILT)

    def write(
        self,
        call: SnippetCall,
        into: Path,
        timeout_seconds: float,
        *,
        cancel_statements: Callable[[], None] = _nothing,
    ) -> WrittenResult:
        """Execute the call untimed, and copy its result to the new directory ``into``; with the plan's sort keys.

        Never raises for what the call does.
        """
        raise ExecutorError(_NOT_BUILT)

    def freeze(self) -> None:
        """Stop every process of the session (it takes no CPU while the other side is timed). Idempotent."""
        raise ExecutorError(_NOT_BUILT)

    def thaw(self) -> None:
        """Let the session go on. Idempotent; :meth:`time`, :meth:`write` and :meth:`prepare` thaw first."""
        raise ExecutorError(_NOT_BUILT)

    def stop(self) -> None:
        """End the session and its process."""
        raise ExecutorError(_NOT_BUILT)

    def kill(self, reason: str = "it was killed") -> None:
        """End the process at once; for any thread."""
        raise ExecutorError(_NOT_BUILT)

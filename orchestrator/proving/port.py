"""What a proof needs of the executor: sandboxed sessions and a judge of written results.

``executor.proving`` implements both; tests hand in their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from executor.calls import PreparedFacts, PrepareRequest, SessionFacts, SessionSpec, SnippetCall
from snipbench.domain.result import Comparison

if TYPE_CHECKING:
    from executor.proving import ProofRun, Sandbox, WrittenResult  # which need pandas


class Session(Protocol):
    """One side's session, which stands still unless it is called; see :class:`executor.proving.ProofSession`."""

    sandbox: Sandbox

    @property
    def lost(self) -> str | None: ...
    def start(self) -> SessionFacts: ...
    def prepare(self, request: PrepareRequest) -> PreparedFacts: ...
    def time(
        self, call: SnippetCall, timeout_seconds: float, *, into: Path, cancel_statements: Callable[[], None] = ...
    ) -> ProofRun: ...
    def write(
        self, call: SnippetCall, into: Path, timeout_seconds: float, *, cancel_statements: Callable[[], None] = ...
    ) -> WrittenResult: ...
    def stop(self) -> None: ...
    def kill(self, reason: str = ...) -> None: ...


class ResultJudge(Protocol):
    """Compares written results as data; see :class:`executor.proving.Judge`."""

    def judge(
        self,
        baseline: WrittenResult,
        candidate: WrittenResult,
        float_tolerance: float,
        sort_keys: Sequence[str] = (),
    ) -> Comparison: ...


class Sandboxing(Protocol):
    """Makes sessions and judges of one mode."""

    @property
    def lack(self) -> str | None:
        """Why there is no sandbox here; ``None`` where there is one."""
        ...

    @property
    def consent(self) -> bool:
        """Whether the user lets what an LLM wrote run without a sandbox."""
        ...

    def session(self, spec: SessionSpec) -> Session:
        """A session, not started yet."""
        ...

    def judge(self, work_directory: Path) -> AbstractContextManager[ResultJudge]:
        """A judge of the results below a folder."""
        ...

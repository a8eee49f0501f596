"""Two sandboxed sessions on one clone: the original in one, the candidate in the other.

While something is timed only one of them is at work; the other stands still.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

from analyzer.proof.planning import Side
from executor.calls import PrepareRequest, SessionSpec, SnippetCall
from executor.proving import ProofRun, WrittenResult
from orchestrator.databases.port import Connection
from orchestrator.leading.ending import Ends, Unending
from orchestrator.proving.port import Session
from snipbench.domain.order import Snippet
from snipbench.domain.plan import Parameters
from snipbench.domain.run import Failure, RunStatus
from snipbench.errors import SessionLost

GRACE_SECONDS = 30.0
"""Writing a result takes longer than making it."""
Made = TypeVar("Made")
SIDES: tuple[Side, Side] = ("original", "candidate")


@dataclass(frozen=True, slots=True)
class PairedRuns:
    """One run of each side on the same data."""

    original: ProofRun
    candidate: ProofRun

    @property
    def values(self) -> tuple[float, float] | None:
        """``(candidate, original)`` in seconds, if both went well."""
        if self.candidate.wall_seconds is None or self.original.wall_seconds is None:
            return None
        return self.candidate.wall_seconds, self.original.wall_seconds


class Duel:
    """A pair of sessions with their views made; a context manager that leaves none behind."""

    def __init__(
        self,
        spec: SessionSpec,
        new_session: Callable[[SessionSpec], Session],
        request: PrepareRequest,
        snippets: dict[Side, Snippet],
        *,
        timeout_seconds: float,
        results: Path,
        cancel: Callable[[str], None],
        candidate: Connection | None = None,
        ends: Ends | None = None,
    ) -> None:
        """
        Args:
            spec: of both sessions; each gets folders of its own below those named.
            request: what both see; each connects under an application name of its own.
            snippets: the two sides.
            timeout_seconds: of one run.
            results: folder below which results are written.
            cancel: ends the statements of an application name in the database.
            candidate: the candidate's way into the database, where it has one of its own.
            ends: tells when the proof must end: both sessions are killed then, and what they did raises the reason.
        """
        self.snippets = snippets
        self._ends = ends or Unending()
        self._timeout = timeout_seconds
        self._results = results
        self._numbers = count()
        self._requests = {
            side: replace(request, application_name=f"{request.application_name}-{side}") for side in SIDES
        }
        if candidate is not None:
            self._requests["candidate"] = replace(
                self._requests["candidate"], user=candidate.user, password=candidate.password
            )
        self._cancel = {side: partial(cancel, self._requests[side].application_name) for side in SIDES}
        self._sessions: dict[Side, Session] = {
            side: new_session(
                replace(spec, work_directory=spec.work_directory / side, log_directory=spec.log_directory / side)
            )
            for side in SIDES
        }

    def __enter__(self) -> Duel:
        """Start both sessions side by side and make their views.

        Raises:
            MachineError, SessionLost, ChildError: one of them cannot be had; none is left.
        """
        self._ends.at_the_end(self.kill)
        try:
            self._ends.raise_if_ended()
            self._both(self._open)
        except BaseException:
            self.close()
            self._ends.raise_if_ended()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End both sessions and remove what they wrote."""
        self._ends.at_the_end(None)
        for session in self._sessions.values():
            session.stop()
        shutil.rmtree(self._results, ignore_errors=True)

    def kill(self) -> None:
        """End what both sessions do, at once; for any thread. They are still to be closed."""
        for session in self._sessions.values():
            session.kill("the proof is to end")

    def lost(self, side: Side) -> str | None:
        """Why a side's session can do no more."""
        return self._sessions[side].lost

    @property
    def sandbox(self) -> str:
        """How the candidate was kept from the machine: ``bwrap``, or ``none`` and why."""
        sandbox = self._sessions["candidate"].sandbox
        return sandbox.kind if not sandbox.reason else f"{sandbox.kind} ({sandbox.reason})"

    def prepare(self) -> None:
        """Make the views anew where the source keeps rows in Spark; each under a name that no view had before."""
        number = next(self._numbers)
        for side in SIDES:
            request = self._requests[side]
            try:
                self._sessions[side].prepare(replace(request, application_name=f"{request.application_name}-{number}"))
            except SessionLost:
                self._ends.raise_if_ended()
                raise

    def write(self, side: Side, parameters: Parameters) -> WrittenResult:
        """One untimed run whose result is kept until it is discarded. A lost session is a failure of the run."""
        session = self._sessions[side]
        if session.lost is not None:
            return WrittenResult(None, Failure("SessionLost", session.lost))
        written = session.write(
            SnippetCall(self.snippets[side], parameters),
            self._results / f"{side}-{next(self._numbers)}",
            self._timeout + GRACE_SECONDS,
            cancel_statements=self._cancel[side],
        )
        self._ends.raise_if_ended()
        return written

    def time_pair(self, first: Side, parameters: Parameters) -> PairedRuns:
        """One timed run of each side, ``first`` first. A session stands still unless it is called."""
        second: Side = "candidate" if first == "original" else "original"
        runs = {}
        for side in (first, second):
            runs[side] = self._time(side, parameters)
            self._ends.raise_if_ended()
        return PairedRuns(runs["original"], runs["candidate"])

    def discard(self, *results: WrittenResult | None) -> None:
        """Remove results that nobody will judge any more."""
        for result in results:
            if result is not None and result.path is not None:
                shutil.rmtree(result.path, ignore_errors=True)

    @contextlib.contextmanager
    def written(self, parameters: Parameters) -> Iterator[tuple[WrittenResult, WrittenResult]]:
        """Results ``(original, candidate)`` of untimed runs made side by side, removed afterwards."""
        original, candidate = self._both(partial(self._write_at, parameters))
        try:
            yield original, candidate
        finally:
            self.discard(original, candidate)

    def _both(self, work: Callable[[Side], Made]) -> tuple[Made, Made]:
        """Do it for both sides at once. What interrupts it interrupts both."""
        with ThreadPoolExecutor(2) as pool:
            try:
                original, candidate = pool.map(work, SIDES)
            except BaseException:
                self.kill()
                raise
        return original, candidate

    def _write_at(self, parameters: Parameters, side: Side) -> WrittenResult:
        return self.write(side, parameters)

    def _time(self, side: Side, parameters: Parameters) -> ProofRun:
        session = self._sessions[side]
        if session.lost is not None:
            return ProofRun(RunStatus.KILLED, None, Failure("SessionLost", session.lost))
        return session.time(
            SnippetCall(self.snippets[side], parameters),
            self._timeout,
            into=self._results / f"{side}-{next(self._numbers)}",
            cancel_statements=self._cancel[side],
        )

    def _open(self, side: Side) -> None:
        self._sessions[side].start()
        self._sessions[side].prepare(self._requests[side])

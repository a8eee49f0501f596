"""A process that compares written results as data and never runs anybody's code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from executor.jail import Jail
from executor.jail.furniture import Furniture
from executor.proving.facts import WrittenResult
from executor.supervisor import Supervisor
from snipbench.domain.result import Comparison, Equality
from snipbench.errors import ExecutorError, ProtocolError, SessionLost

COMMAND = (sys.executable, "-m", "executor.proving.judging")
MEMORY_CAP_BYTES = 4 * 2**30
GRACE_SECONDS = 1.0


class Judge:
    """One process for many judgements; a context manager. It needs no Spark and starts with the first judgement.

    Args:
        work_directory: every written result that it will be asked about lies below it.
        jail: the judge reads what a candidate wrote, so it is jailed as well, where a jail can be had.
        memory_cap_bytes: most that it may hold.
    """

    def __init__(
        self, work_directory: Path, *, jail: Jail | None, memory_cap_bytes: int | None = MEMORY_CAP_BYTES
    ) -> None:
        self._work = work_directory.resolve()
        self._jail = jail
        self._cap = memory_cap_bytes
        self._furniture: Furniture | None = None
        self._supervisor: Supervisor | None = None

    def judge(
        self,
        baseline: WrittenResult,
        candidate: WrittenResult,
        float_tolerance: float,
        sort_keys: Sequence[str] = (),
        *,
        timeout_seconds: float = 300.0,
    ) -> Comparison:
        """Whether the candidate's written result is the baseline's, by the rules of :mod:`executor.results`.

        ``sort_keys`` are the baseline's (``WrittenResult.sort_keys`` of its untimed :meth:`ProofSession.write`).
        A candidate's result that is missing or cannot be read is ``DIFFERENT``; a baseline's is ``INCONCLUSIVE``, and
        so is whatever is too large for the judge's memory or time.

        Raises:
            ExecutorError: a result lies outside the work directory, or the judge itself is at fault.
        """
        if baseline.path is None:
            return Comparison(Equality.INCONCLUSIVE, f"the baseline wrote no result: {_told(baseline)}")
        if candidate.path is None:
            return Comparison(Equality.DIFFERENT, f"the candidate wrote no result: {_told(candidate)}")
        body = {
            "baseline": self._inside(baseline.path),
            "candidate": self._inside(candidate.path),
            "float_tolerance": float_tolerance,
            "sort_keys": list(sort_keys),
        }
        try:
            reply = self._started().call("judge", body, timeout_seconds=timeout_seconds, grace_seconds=GRACE_SECONDS)
        except (SessionLost, ProtocolError) as error:
            self.stop()  # the next judgement starts a new one
            return Comparison(Equality.INCONCLUSIVE, f"the results could not be compared: {error}"[:500])
        if reply.timed_out:
            self.stop()
            return Comparison(Equality.INCONCLUSIVE, f"comparing took more than {timeout_seconds:g} s")
        found = reply.body
        return Comparison(Equality(found["equality"]), found["reason"], tuple(found["differing_rows"]), found["rows"])

    def stop(self) -> None:
        """End the process; the next judgement would start another."""
        if self._supervisor is not None:
            self._supervisor.stop(grace_seconds=0.0)
        if self._furniture is not None:
            self._furniture.remove()
        self._supervisor = self._furniture = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _started(self) -> Supervisor:
        if self._supervisor is None or not self._supervisor.alive:
            self.stop()
            argv: tuple[str, ...] = COMMAND
            if self._jail is not None:
                # The user who starts it: what it may read belongs to that user, and is bound read-only.
                self._furniture = Furniture(None)
                argv = self._jail.command(COMMAND, self._furniture, readable=[self._work])
            self._supervisor = Supervisor(
                argv, env=Jail.environment(), cwd="/", memory_cap_bytes=self._cap, name="the judge of results"
            ).start()
        return self._supervisor

    def _inside(self, path: Path) -> str:
        resolved = path.resolve()
        if not resolved.is_relative_to(self._work):
            raise ExecutorError(f"{path} is not below {self._work}, where the judge reads")
        return str(resolved)


def _told(result: WrittenResult) -> str:
    return "no reason given" if result.failure is None else f"{result.failure.kind}: {result.failure.message}"[:300]

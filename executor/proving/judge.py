"""A process that compares written results as data and never runs anybody's code (signatures)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from executor.jail import Jail
from executor.proving.facts import WrittenResult
from snipbench.domain.result import Comparison
from snipbench.errors import ExecutorError

_NOT_BUILT = "the judge is not built yet"


class Judge:
    """One process for many judgements; a context manager. It needs no Spark and starts in about two seconds.

    Args:
        work_directory: every written result that it will be asked about lies below it.
        jail: the judge reads what a candidate wrote, so it is jailed as well, where a jail can be had.
    """

    def __init__(self, work_directory: Path, *, jail: Jail | None) -> None:
        self._work = work_directory

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
        A candidate's result that cannot be read is ``DIFFERENT``; a baseline's is ``INCONCLUSIVE``.
        """
        raise ExecutorError(_NOT_BUILT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""

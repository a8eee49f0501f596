"""What a profile pass found: one snippet at one parameter point, function by function."""

from __future__ import annotations

from dataclasses import dataclass

from snipbench.domain.order import Kind
from snipbench.domain.plan import Parameters
from snipbench.domain.run import Failure
from snipbench.identity import content_hash

PROFILED_KINDS = frozenset({Kind.FUNCTION, Kind.PYTHON_UDF, Kind.ARROW_PYTHON_UDF, Kind.PANDAS_UDF, Kind.ARROW_UDF})
"""Kinds whose functions ``profile: true`` profiles."""


@dataclass(frozen=True, slots=True)
class FunctionCost:
    """All calls of one function in one pass. Times are wall times in seconds, with the profiler's own cost in them.

    ``own_seconds`` is what is left of the calls' time without that of the profiled calls they made; ``total_seconds``
    counts a recursive function's outermost calls only. CPU time and memory were read in ``observed_calls`` calls, whose
    wall time is ``observed_seconds``; they are null where it is 0. ``uncounted_calls`` were made beyond the bound: they
    are in ``calls`` and in no time.
    """

    class_name: str | None
    function_name: str
    source_md5: str | None
    source: str | None
    """Redacted, bounded; null where there was none to be had."""
    calls: int
    uncounted_calls: int
    total_seconds: float
    own_seconds: float
    mean_seconds: float | None
    median_seconds: float | None
    p95_seconds: float | None
    longest_seconds: float | None
    observed_calls: int
    observed_seconds: float
    cpu_seconds: float | None
    memory_growth_bytes: int | None
    """Largest growth of the process's resident memory in one observed call."""
    exceptions: int

    @property
    def name(self) -> str:
        """``Class.method`` or ``function``."""
        return f"{self.class_name}.{self.function_name}" if self.class_name else self.function_name


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile pass. ``slot_id`` names its point in ``function_calls``, as a slot's id names a run.

    ``seconds`` is the pass's own time, ``None`` if it failed. ``kept_calls`` are rows of ``function_calls``;
    ``lost_calls`` could not be written, ``broken_lines`` not be read (each a piece of one thread's calls).
    """

    task_id: str
    slot_id: str
    experiment: str
    snippet: str
    parameters: Parameters
    profiled_at: str
    seconds: float | None
    failure: Failure | None
    functions: tuple[FunctionCost, ...] = ()
    """Worst first: by own time."""
    kept_calls: int = 0
    lost_calls: int = 0
    broken_lines: int = 0

    @property
    def calls(self) -> int:
        """Calls that were counted."""
        return sum(function.calls for function in self.functions)

    @property
    def own_seconds(self) -> float:
        """Time of all functions together."""
        return sum(function.own_seconds for function in self.functions)

    @staticmethod
    def identify(experiment: str, snippet: str, parameters: Parameters) -> str:
        """``slot_id`` of a point: ``profile-`` and 20 hexadecimal digits."""
        return f"profile-{content_hash(['profile', experiment, snippet, parameters], length=20)}"

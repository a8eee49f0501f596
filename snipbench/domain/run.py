"""What one execution gave: status, time, cost, error."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from snipbench.domain.plan import Parameters, Phase, Slot


class RunStatus(StrEnum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    """The snippet raised, or broke a rule (changed settings, stopped the session, nulled its result)."""
    TIMEOUT = "timeout"
    KILLED = "killed"
    """The session's process died or was killed in the run (memory cap, crash, stuck past its time-out)."""
    INTERRUPTED = "interrupted"
    """Ours: the command ended in the middle; run again by the next leader."""


class TaskStatus(StrEnum):
    """State of a task; the last five are its ends (design, section 6)."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed, bounded. ``kind`` is the exception's or rule's name."""

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Counters:
    """Cumulative use of one target at one instant. What the source does not tell is ``None``, never 0.

    ``memory_bytes`` is a level, not cumulative; ``memory_definition`` says which (``rss``, ``pss``,
    ``cgroup_less_inactive_file``). ``io_definition`` likewise (``proc_io``, ``blkio``).
    """

    at: str
    cpu_user_seconds: float | None
    cpu_system_seconds: float | None
    cpu_seconds: float | None
    memory_bytes: int | None
    memory_definition: str
    read_bytes: int | None
    write_bytes: int | None
    io_definition: str
    processes: int | None
    threads: int | None
    cpu_resolution_seconds: float | None = None
    """Smallest step of ``cpu_seconds``; a run that used less than a few steps is marked too short for the source."""

    def to_document(self) -> dict[str, Any]:
        """Plain dictionary of the fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost one target: differences of its counters. ``None`` where the source does not tell.

    ``too_short`` marks a run shorter than the source can resolve.
    """

    target: str
    cpu_seconds: float | None
    cpu_user_seconds: float | None
    cpu_system_seconds: float | None
    read_bytes: int | None
    write_bytes: int | None
    memory_bytes_after: int | None
    memory_definition: str
    source: str
    too_short: bool = False


@dataclass(frozen=True, slots=True)
class RunMemory:
    """Peak memory of one run in bytes, each reset before it (design, rule 5)."""

    spark_execution_peak_bytes: int | None = None
    jvm_pools_peak_bytes: int | None = None
    python_workers_peak_bytes: int | None = None

    @property
    def peak_bytes(self) -> int | None:
        """JVM pools' peak plus Python workers' peak; ``None`` where the JVM's is missing."""
        if self.jvm_pools_peak_bytes is None:
            return None
        return self.jvm_pools_peak_bytes + (self.python_workers_peak_bytes or 0)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What the executor tells of one run.

    ``wall_seconds`` is the time of the materialisation alone. ``spark`` holds Spark's own metrics by name with
    unit suffix (``executor_run_seconds``, ``gc_seconds``, ``shuffle_read_bytes``, …); ``overhead_seconds`` holds
    what the platform spent around the run, by stage. ``output_tail`` is the end of what the snippet printed.
    """

    status: RunStatus
    session_id: str
    started_at: str
    ended_at: str
    wall_seconds: float | None
    failure: Failure | None = None
    costs: tuple[Cost, ...] = ()
    memory: RunMemory = RunMemory()
    spark: dict[str, float | int | None] = field(default_factory=dict)
    overhead_seconds: dict[str, float] = field(default_factory=dict)
    output_tail: str = ""
    output_bytes: int = 0
    command_seconds: float | None = None
    """From the command to its reply, by the supervising process's clock: an outer bound of ``wall_seconds``."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a slot, as recorded. ``slot_id`` is ``None`` for a warm-up that a new session repeats."""

    task_id: str
    slot_id: str | None
    attempt: int
    experiment: str
    snippet: str
    parameters: Parameters
    phase: Phase
    repetition: int
    block: str | None
    position: int
    outcome: RunOutcome
    clone_id: str
    result_hash: str | None = None

    @classmethod
    def of_slot(
        cls, slot: Slot, task_id: str, attempt: int, outcome: RunOutcome, clone_id: str, result_hash: str | None
    ) -> Run:
        """The run of a line of the plan."""
        return cls(
            task_id=task_id,
            slot_id=slot.slot_id,
            attempt=attempt,
            experiment=slot.experiment,
            snippet=slot.snippet,
            parameters=slot.parameters,
            phase=slot.phase,
            repetition=slot.repetition,
            block=slot.block,
            position=slot.position,
            outcome=outcome,
            clone_id=clone_id,
            result_hash=result_hash,
        )

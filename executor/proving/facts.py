"""What a proof learns from sandboxed sessions, as immutable types."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from snipbench.domain.run import Cost, Failure, RunStatus


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How a session was kept from the machine; goes with every result. ``reason`` says why there is no sandbox."""

    kind: Literal["bwrap", "none"]
    reason: str = ""

    def to_document(self) -> dict[str, Any]:
        """``{"kind", "reason"}``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WrittenResult:
    """What a call had written when its reply came, copied out of the reach of the process that wrote it.

    ``path`` is a directory with the result as data (:class:`executor.proving.Judge` reads it), ``None`` with a
    ``failure``. ``sort_keys`` are those of the plan (``ResultFacts.sort_keys``); only a baseline's are of use.
    """

    path: Path | None
    failure: Failure | None = None
    size_bytes: int | None = None
    sort_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProofRun:
    """One timed execution, which wrote its result.

    Both times are by the supervising process's clock. ``wall_seconds`` goes from the command to the reply that the
    result is written, loading the code and a function's input included: whatever a candidate does counts, whenever it
    does it. ``load_seconds`` is the part of it before the snippet's own call. Of a baseline it is an honest floor, and
    may be taken off both sides of a pair; of a candidate it is not to be believed, and must not be taken off anything.
    Both are ``None`` unless the run went well.
    """

    status: RunStatus
    wall_seconds: float | None
    failure: Failure | None
    load_seconds: float | None = None
    written: WrittenResult | None = None
    """To be judged against the baseline's of the same pair; ``None`` unless the run went well."""
    costs: tuple[Cost, ...] = ()
    """Of the session's process tree."""

"""What a monitor says of its work when it has stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class MonitorSummary:
    """What became of the samples: ``read = written + dropped + lost + left``, unless a thread did not end in time."""

    read: int
    written: int
    """Those in the store."""
    dropped: int
    """Those that found no place in memory, nor on disk."""
    overflowed: int
    """Those of the dropped that found the spool full, or its disk broken."""
    lost: int
    """Those that the store refused, that came back damaged from disk, or that had nowhere to wait after the stop."""
    left: int
    """Those that wait on disk, for the next monitor of the same home."""
    spooled: int
    """Those that went to disk in between."""
    resent: int
    """Those that the store got from there."""
    recovered: int
    """Samples of earlier monitors, left on disk, that this one sent."""
    batches: int
    store_retries: int
    missed: int
    """Rounds left out because readings took too long."""
    events: int
    sink_failures: int
    """Events that the leader's callback failed to take."""
    seconds: float
    """From the start to the end of the stop."""
    cpu_seconds: float
    """What the monitor's two threads used of the CPU in that time: reading, writing, spooling. A source's own threads
    and a store's server are not in it."""
    ended: dict[str, str] = field(default_factory=dict)
    """Targets whose stream ended before the stop, and why."""

    @property
    def complete(self) -> bool:
        """Whether every reading was made and is in the store."""
        return not (self.dropped or self.lost or self.left or self.missed or self.ended)

    @property
    def core_share(self) -> float:
        """CPU time of the monitor's threads as a share of one core."""
        return self.cpu_seconds / self.seconds if self.seconds > 0 else 0.0

    def sentence(self) -> str:
        """What happened, for the event log."""
        said = [f"{self.written} samples"]
        for count, what in (
            (self.dropped + self.lost, "lost"),
            (self.missed, "missed"),
            (self.spooled, "by way of the spool"),
            (self.left, "left in the spool"),
            (self.recovered, "of earlier monitors sent"),
        ):
            if count:
                said.append(f"{count} {what}")
        return f"{', '.join(said)}; watching used {self.core_share:.2%} of a core".replace("%", " %")

    def to_document(self) -> dict[str, Any]:
        """All of it, for an event."""
        # Targets' names may hold what a document's keys must not.
        return asdict(self) | {"ended": [{"target": name, "reason": why} for name, why in self.ended.items()]}

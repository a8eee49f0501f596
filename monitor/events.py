"""What a monitor tells its leader, beside the samples. Nothing is lost or cut without one of these."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class EventKind(StrEnum):
    """What happened. Events about one target name it."""

    TARGET_GONE = "target_gone"
    """The target ended; its stream ends here."""
    SOURCE_FAILED = "source_failed"
    """The source cannot read the target; its stream ends here."""
    SOURCE_STALLED = "source_stalled"
    """A reading takes long; it is still waited for."""
    SOURCE_RESUMED = "source_resumed"
    """A stalled reading ended; the samples have a gap."""
    COUNTERS_RESTARTED = "counters_restarted"
    """Cumulative counters went down: a new stream begins, and no difference spans the two."""
    SAMPLES_DROPPED = "samples_dropped"
    """Samples found no place; there is a gap, which their sequence numbers show."""
    STORE_STALLED = "store_stalled"
    """An insert takes long; samples wait on disk, or in the queue."""
    STORE_FAILING = "store_failing"
    """The store is away; the batch is tried again."""
    STORE_RESUMED = "store_resumed"
    """The store took the batch after all."""
    SAMPLES_LOST = "samples_lost"
    """The store refused a batch, or was not back in time at the stop and there is no spool."""
    SPOOL_BEGUN = "spool_begun"
    """Samples go to disk from now on, since the store is away, stalled or too slow."""
    SPOOL_SENT = "spool_sent"
    """What was on disk is in the store: this monitor's, or what an earlier one left."""
    SPOOL_OVERFLOWED = "spool_overflowed"
    """There is no place on disk and in memory for the newest samples; they are dropped."""
    SPOOL_TORN = "spool_torn"
    """A part of the spool was cut or damaged; whole samples before and after it are kept."""
    SPOOL_LEFT = "spool_left"
    """Samples wait on disk for the next monitor of the same home."""


EventSink = Callable[[EventKind, str | None, str, str], None]
"""Takes kind, target (``None``: none in particular), message, instant (ISO 8601). Called from the monitor's threads."""

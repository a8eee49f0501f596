"""A stretch of time that is watched by a monitor, for benchmarks of what that costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.sources import choose_source
from monitor.summary import MonitorSummary
from snipbench.resources.port import Target
from snipbench.store.sqlite import SqliteStore

HERTZ = 20


@contextmanager
def monitored(targets: Sequence[Target], path: Path, *, watched: bool = True) -> Iterator[list[MonitorSummary]]:
    """Watched at :data:`HERTZ`, into a new store at ``path``, or just after a monitor that has stopped.

    What the monitor tells of its watching stands in the list when it is over.
    """
    told: list[MonitorSummary] = []
    with closing(SqliteStore(path)) as store, closing(choose_source("process", targets)) as source:
        monitor = Monitor(
            store,
            source,
            list(targets),
            StreamId("benchmark", "monitored", path.stem),
            on_event=_tell,
            settings=MonitorSettings(interval_seconds=1 / HERTZ),
        )
        monitor.start()
        if not watched:
            monitor.stop()
            yield told
            return
        try:
            yield told
        finally:
            told.append(monitor.stop())


def _tell(kind: EventKind, target: str | None, message: str, at: str) -> None:
    print(f"{at} {target}: {kind}: {message}", file=sys.stderr)

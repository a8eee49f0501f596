"""``@snipbench.profile``: what each call of a function cost, at well under a microsecond a call.

Standard library only, and cheap to import: usable in any program, in a snippet, in Spark's Python workers.

- :func:`profile` decorates functions, methods, coroutines, generators and asynchronous generators.
- :func:`configure` says where calls go (a sink), to which task and slot they belong, and which values are secret.
- :func:`flush` hands everything buffered to the sink; :func:`drain` returns the rows of the memory sink and empties it.
- :class:`MemorySink` (default) and :class:`DirectorySink` keep calls; :func:`read_directory` reads the latter's files.

One row per call, the columns of :data:`COLUMNS`, documented in :class:`~snipbench.profiling.rows.CallRow`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snipbench.profiling.control import configure, drain, flush, lost_calls
from snipbench.profiling.decorator import profile
from snipbench.profiling.sinks import Batch, MemorySink, Sink

if TYPE_CHECKING:
    from snipbench.profiling.directory import DirectoryCalls, DirectorySink, read_directory
    from snipbench.profiling.rows import COLUMNS, THREAD_ZEPPELIN_COLUMNS, CallRow

__all__ = [
    "COLUMNS",
    "THREAD_ZEPPELIN_COLUMNS",
    "Batch",
    "CallRow",
    "DirectoryCalls",
    "DirectorySink",
    "MemorySink",
    "Sink",
    "configure",
    "drain",
    "flush",
    "lost_calls",
    "profile",
    "read_directory",
]


def __getattr__(name: str) -> Any:
    """Load what only the reading side needs when it is first used: importing the decorator stays cheap."""
    if name in ("DirectoryCalls", "DirectorySink", "read_directory"):
        from snipbench.profiling import directory

        return getattr(directory, name)
    if name in ("COLUMNS", "THREAD_ZEPPELIN_COLUMNS", "CallRow"):
        from snipbench.profiling import rows

        return getattr(rows, name)
    raise AttributeError(f"module 'snipbench.profiling' has no attribute {name!r}")

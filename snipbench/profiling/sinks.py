"""Where flushed calls go: the port, and the sink that keeps them in memory."""

from __future__ import annotations

import marshal
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from operator import call
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snipbench.profiling.rows import CallRow

DIRECTORY_VARIABLE = "SNIPBENCH_PROFILE_DIR"
"""Environment variable: folder to which calls are written when no sink was configured."""


WIDTH = 5
"""Values of a call in a batch."""


class Batch(NamedTuple):
    """Calls of one thread, with what they share."""

    app_id: str
    process_id: int
    epochs: tuple[tuple[int, str], ...]
    """First call number and token of this process and of those it was forked from, oldest first."""
    thread_id: int
    clock_offset: float
    """Seconds to add to a recorded instant to get seconds since 1970 UTC."""
    recursion_limit: int
    task_id: str | None
    slot_id: str | None
    records: list[Any]
    """:data:`WIDTH` values per call, call after call, as :mod:`snipbench.profiling.recorder` describes them."""

    @property
    def call_count(self) -> int:
        """Number of calls."""
        return len(self.records) // WIDTH


def functions_of(records: list[Any]) -> tuple[list[int], dict[int, Sequence[Any]]]:
    """Function key of each call of ``records``; and by place of the call what was read of those observed in full."""
    keys = records[::WIDTH]
    observed = {}
    for place, key in enumerate(keys):
        if type(key) is not int:
            keys[place], observed[place] = key
    return keys, observed


class Sink(Protocol):
    """Port; takes batches. Calls of :meth:`write` never overlap."""

    @property
    def flush_seconds(self) -> float | None:
        """Seconds between flushes in time by a background thread; null: only when full, when asked and at exit."""
        ...

    def write(self, batch: Batch) -> None:
        """Keep the batch. Any error counts its calls as lost and is reported by ``flush``.

        A sink may have ``keep(batch, release)``, as :class:`MemorySink` has: then the main thread delivers itself.
        """
        ...

    def forked(self) -> None:
        """This is a new child process: forget what is the parent's."""
        ...


class _Kept(NamedTuple):
    batch: Batch
    """Without its records."""
    packed: bytes
    bytes_so_far: int
    """Of all that is kept, this included."""
    calls_so_far: int


class MemorySink:
    """Keeps calls in this process, packed, up to ``max_bytes`` bytes; those beyond are counted in ``overflow_calls``.

    A call without texts takes about 40 bytes. A forked child starts empty, and what it keeps ends with it: programs of
    several processes use :class:`~snipbench.profiling.directory.DirectorySink`.
    """

    flush_seconds: float | None = None

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self.max_bytes = max_bytes
        self._kept: list[_Kept] = []
        self._overflow: list[int] = []
        self._lock = threading.RLock()

    @property
    def kept_bytes(self) -> int:
        """Bytes that the kept calls take."""
        return self._kept[-1].bytes_so_far if self._kept else 0

    @property
    def kept_calls(self) -> int:
        """Calls kept."""
        return self._kept[-1].calls_so_far if self._kept else 0

    @property
    def overflow_calls(self) -> int:
        """Calls beyond the bound."""
        return sum(self._overflow)

    def write(self, batch: Batch) -> None:
        self.keep(batch, _nothing)

    def keep(self, batch: Batch, release: Callable[[], object]) -> None:
        """Write the batch and release it where it was, both or, where a signal's handler raises, neither.

        ``release`` is C code all through.
        """
        packed = marshal.dumps(batch.records, 2)
        with self._lock:
            size, calls = self.kept_bytes + len(packed), self.kept_calls + batch.call_count
            if size > self.max_bytes:
                write = partial(self._overflow.append, batch.call_count)
            else:
                write = partial(self._kept.append, _Kept(batch._replace(records=[]), packed, size, calls))
            # From C to C: handlers run between the interpreter's own steps only.
            deque(map(call, (write, release)), maxlen=0)  # type: ignore[arg-type]

    def take(self) -> list[CallRow]:
        """Every kept call as a full row, in order of flushing; empties the sink, except for its count of overflow."""
        from snipbench.profiling import functions
        from snipbench.profiling.rows import to_rows

        with self._lock:
            kept = self._kept.copy()
            del self._kept[: len(kept)]
        return [row for each in kept for row in to_rows(each.batch, marshal.loads(each.packed), functions.by_key)]

    def forked(self) -> None:
        self._lock = threading.RLock()
        self._kept = []
        self._overflow = []


_nothing: Callable[[], object] = partial(len, ())


def default_sink() -> Sink:
    """A directory sink where the environment names a folder, else a memory sink."""
    folder = os.environ.get(DIRECTORY_VARIABLE)
    if folder:
        from snipbench.profiling.directory import DirectorySink

        return DirectorySink(folder)
    return MemorySink()

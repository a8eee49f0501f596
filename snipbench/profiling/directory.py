"""Calls of many processes through files: each process and thread appends JSON lines to a file of its own.

Lines of a file: ``{"process": …}`` first, ``{"function": …}`` once per function, then ``{"calls": …}`` per flush and
``{"overflow": n, "by_function": [[key, n], …]}`` where the bound was met. A process that is killed in the middle of a
write leaves one broken line at most, which the reader counts.
"""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from snipbench.profiling import functions
from snipbench.profiling.sinks import Batch, functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from snipbench.profiling.rows import CallRow

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What reading a line raises that is not what the sink writes, or belongs to one that is lost."""


class DirectorySink:
    """Appends calls to ``folder/calls-PID-TOKEN-THREAD.jsonl`` (mode 0600; the folder is made, mode 0700).

    A background thread flushes every ``flush_seconds``, so that a process ended by a signal or ``os._exit``, as Spark's
    Python workers are, loses at most the calls of that last moment, and none after an explicit ``flush``.

    Args:
        folder: where to write; taken as absolute at once.
        flush_seconds: seconds between flushes; null for none in time.
        max_bytes: what one process may write; further calls are counted in the file, not kept.
    """

    def __init__(self, folder: str | Path, *, flush_seconds: float | None = 0.2, max_bytes: int = 1 << 30) -> None:
        self.folder = Path(folder).absolute()
        self.flush_seconds = flush_seconds
        self.max_bytes = max_bytes
        self.written_bytes = 0
        self.overflow_calls = 0
        self._known: dict[Path, set[int]] = {}

    def write(self, batch: Batch) -> None:
        path = self.folder / f"calls-{batch.process_id}-{batch.epochs[-1][1]}-{batch.thread_id}.jsonl"
        descriptor = self._open(path)
        try:
            if os.fstat(descriptor).st_size == 0:  # new, or taken away by a collector meanwhile
                self._known.pop(path, None)
            known = self._known.get(path)
            lines: list[dict[str, Any]] = []
            if known is None:
                known = set()
                lines.append(
                    {"process": {"process_id": batch.process_id, "app_id": batch.app_id, "epochs": batch.epochs}}
                )
            keys, _ = functions_of(batch.records)
            fresh = set(keys) - known
            lines += [_function_line(key) for key in sorted(fresh)]
            if self.written_bytes >= self.max_bytes:
                self.overflow_calls += len(keys)
                by_function = sorted(Counter(keys).items())
                lines.append({"overflow": len(keys), "by_function": by_function})
            else:
                shared = batch._asdict()
                for in_header in ("process_id", "app_id", "epochs", "records"):
                    del shared[in_header]
                lines.append({"calls": shared | {"records": batch.records}})
            # A line break first: what a broken write left behind stays a line of its own.
            data = b"".join(b"\n" + json.dumps(line, separators=(",", ":")).encode("ascii") for line in lines)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            self.written_bytes += len(data)
            self._known.setdefault(path, set()).update(fresh)
        finally:
            os.close(descriptor)

    def _open(self, path: Path) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)

    def forked(self) -> None:
        self._known = {}
        self.written_bytes = self.overflow_calls = 0


def _function_line(key: int) -> dict[str, Any]:
    facts = functions.by_key(key)
    compressed, md5 = facts.source
    return {
        "function": {
            "key": key,
            "class_name": facts.class_name,
            "function_name": facts.function_name,
            "source": base64.b64encode(compressed).decode("ascii") if compressed is not None else None,
            "md5": md5,
        }
    }


class DirectoryCalls(NamedTuple):
    """What :func:`read_directory` found."""

    rows: list[CallRow]
    broken_lines: int
    """Lines that could not be read, each an interrupted write of one thread's buffer."""
    overflow_calls: int
    """Calls made after a process had met its bound of bytes."""


class Piece(NamedTuple):
    """A line of calls, or of their overflow, or one that could not be read."""

    functions: dict[int, functions.FunctionFacts]
    """The functions of the process, by key, as far as they were told by then."""
    batch: Batch | None = None
    overflow: Mapping[int, int] = MappingProxyType({})
    """Calls that were counted and not kept, by function key."""
    broken: bool = False


class _Reader:
    def __init__(self) -> None:
        self.process: dict[str, Any] = {}
        self.functions: dict[int, functions.FunctionFacts] = {}

    def line(self, content: dict[str, Any]) -> Piece | None:
        """What a line holds; None for one that prepares those that follow. Raises one of :data:`UNREADABLE`."""
        if "process" in content:
            self.process = content["process"]
            self.process["epochs"] = tuple((first, token) for first, token in self.process["epochs"])
        elif "function" in content:
            told = content["function"]
            source = base64.b64decode(told["source"]) if told["source"] is not None else None
            self.functions[told["key"]] = functions.FunctionFacts(
                told["key"], told["class_name"], told["function_name"], source=(source, told["md5"])
            )
        elif "calls" in content:
            return Piece(self.functions, Batch(**self.process, **content["calls"]))
        else:
            return Piece(self.functions, overflow=dict(content["by_function"]))
        return None


def read_pieces(folder: str | Path) -> Iterator[Piece]:
    """What processes wrote below ``folder`` through :class:`DirectorySink`, line by line, calls still packed.

    Raises:
        OSError: a file cannot be read.
    """
    for path in sorted(Path(folder).glob("calls-*.jsonl")):
        reader = _Reader()
        with path.open("rb") as lines:
            for line in lines:
                if not line.strip():
                    continue
                try:
                    piece = reader.line(json.loads(line))
                except UNREADABLE:
                    piece = Piece(reader.functions, broken=True)
                if piece is not None:
                    yield piece


def read_directory(folder: str | Path) -> DirectoryCalls:
    """Every call that processes wrote below ``folder`` through :class:`DirectorySink`; a missing folder has none.

    Raises:
        OSError: a file cannot be read.
    """
    from snipbench.profiling.rows import to_rows

    rows: list[CallRow] = []
    broken = overflow = 0
    for piece in read_pieces(folder):
        broken += piece.broken
        overflow += sum(piece.overflow.values())
        if piece.batch is not None:
            try:
                rows += list(to_rows(piece.batch, piece.batch.records, piece.functions.__getitem__))
            except UNREADABLE:
                broken += 1
    return DirectoryCalls(rows, broken, overflow)

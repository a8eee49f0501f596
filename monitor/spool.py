"""One monitor's samples on disk: appended while the store is away, read in order when it is back.

A monitor has a folder of its own below the spool's, named after its stream, with segments ``000001.segment``, …
(:mod:`monitor.segment`). It is made with the first sample and removed with the last, so a monitor whose store is always
there leaves no trace. What a killed one left is sent by :mod:`monitor.leftovers`.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monitor.segment import FORMAT, SUFFIX, Piece, read_piece, to_line
from snipbench.owned_folder import OwnedFolder
from snipbench.store.port import Document

SEGMENT_BYTES = 1 << 20


class SpoolFull(Exception):
    """There is no place for another sample; the message says why."""


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int = 0
    read_from: int = 0
    """Where the first line begins that was not discarded."""
    waiting: int = 0


class Spool:
    """First in, first out. Not safe between threads.

    Args:
        root: folder of the spools of all monitors.
        name: this one's.
        max_bytes: for all of them together. What finds no place is refused, until half of this spool is discarded: so
            a gap lies after the samples that are kept, and what was once kept is never thrown away.
        segment_bytes: when a new segment is begun.
    """

    def __init__(self, root: Path, name: str, max_bytes: int, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._root = root
        self._name = name
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes)
        self._folder: OwnedFolder | None = None
        self._segments: deque[_Segment] = deque()
        self._tail: int | None = None
        self._number = 0
        self._bytes = 0
        self._room = 0
        self._refusing: str | None = None
        self.waiting = 0
        """Lines that were appended and not discarded."""

    def append(self, document: Document) -> None:
        """Add a sample.

        Raises:
            SpoolFull: the spool has no place, or the disk refused; so will it the next, until half is discarded.
        """
        if self._refusing is None:
            try:
                self._write(to_line(document))
            except OSError as error:
                self._refusing = f"the spool cannot be written: {error.strerror}"
        if self._refusing is not None:
            self._cut()
            raise SpoolFull(self._refusing)

    def try_again(self) -> None:
        """What was refused may find a place now."""
        self._refusing = None

    def read(self, limit: int) -> Piece:
        """The oldest lines of one segment, at most ``limit``; they stay until they are discarded.

        Those of a segment that cannot be read any more are torn.
        """
        head = next((segment for segment in self._segments if segment.waiting), None)
        if head is None:
            return Piece([], 0)
        lines = min(limit, head.waiting)
        try:
            with head.path.open("rb") as stream:
                stream.seek(head.read_from)
                return Piece(read_piece(stream, lines).documents, lines)
        except OSError:
            return Piece([], lines)

    def discard(self, lines: int) -> None:
        """Forget the oldest lines: the store has them, or has refused them."""
        while lines > 0:
            head = self._segments[0]
            going = min(lines, head.waiting)
            with suppress(OSError), head.path.open("rb") as stream:  # what cannot be read is not read on from there
                stream.seek(head.read_from)
                for _ in range(going):
                    stream.readline()
                head.read_from = stream.tell()
            head.waiting -= going
            self.waiting -= going
            lines -= going
            if not head.waiting:
                self._remove_head()

    def close(self) -> None:
        """Leave what is waiting to whoever comes next."""
        self._end_tail()
        if self._folder is not None:
            self._folder.leave()
            self._folder = None

    def _write(self, line: bytes) -> None:
        if self._tail is None or self._segments[-1].size >= self._segment_bytes:
            self._begin_segment()
        if self._bytes + len(line) > self._room:
            self._refusing = f"the spool is full: all segments together may have {self._max_bytes} bytes"
            return
        self._put(line)
        self._segments[-1].waiting += 1
        self.waiting += 1

    def _put(self, line: bytes) -> None:
        assert self._tail is not None
        written = os.write(self._tail, line)
        self._segments[-1].size += written
        self._bytes += written
        if written < len(line):
            raise OSError(0, "the disk took only a part of a sample")

    def _begin_segment(self) -> None:
        self._end_tail()
        if self._folder is None:
            self._folder = OwnedFolder.make(self._root / self._name)
        self._number += 1
        path = self._folder.path / f"{self._number:06}{SUFFIX}"
        self._tail = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        header = to_line(FORMAT)
        self._segments.append(_Segment(path, read_from=len(header)))
        self._put(header)
        self._measure()

    def _measure(self) -> None:
        """How many bytes this spool may have beside the others'."""
        others = 0
        for path in self._root.glob(f"*/*{SUFFIX}"):
            if path.parent.name != self._name:
                try:
                    others += path.stat().st_size
                except FileNotFoundError:  # sent meanwhile
                    continue
        self._room = self._max_bytes - others

    def _cut(self) -> None:
        """Nothing may be appended to a line that was begun and failed."""
        self._end_tail()
        if self._segments and not self._segments[-1].waiting:
            self._remove(self._segments.pop())

    def _end_tail(self) -> None:
        if self._tail is not None:
            os.close(self._tail)
            self._tail = None

    def _remove_head(self) -> None:
        head = self._segments.popleft()
        if not self._segments:
            self._end_tail()
        self._remove(head)
        if self._refusing is not None and self._bytes <= self._room / 2:
            self._refusing = None
        if not self._segments and self._folder is not None:
            self._folder.leave()
            self._folder = None

    def _remove(self, segment: _Segment) -> None:
        with suppress(OSError):  # sent again by the next monitor, then
            segment.path.unlink()
        self._bytes -= segment.size

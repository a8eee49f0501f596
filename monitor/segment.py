"""A segment: a file of samples that wait for the store, every line with a checksum of its own.

::

    7c1f0a55 {"format":1,"collection":"samples"}
    5b6a7c8d {"_id":"task-…:executor:000000000",…}
    …

A line is the CRC-32 of its JSON text (eight hexadecimal digits), a space, the text (UTF-8, no line break in it), a line
break. The first one tells the format. A line that was cut, or that its checksum belies, is torn; it says nothing about
the lines before and after it, since each stands for itself and a sample's ``_id`` tells where it belongs.

Nothing is synced to disk: a segment outlives a killed process, and what it loses with the machine is told as torn.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from snipbench.store.port import Document

SUFFIX = ".segment"
FORMAT = {"format": 1, "collection": "samples"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a segment, in order."""

    documents: list[Document]
    lines: int
    """How many lines they were, torn ones among them."""

    @property
    def torn(self) -> int:
        """Lines that hold no sample any more."""
        return self.lines - len(self.documents)


def to_line(document: Document) -> bytes:
    """One line, its break included."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def from_line(line: bytes) -> Document | None:
    """Inverse of :func:`to_line`; ``None``: the line is torn."""
    checksum, text = line[:8], line[9:-1]
    if not line.endswith(b"\n") or b"%08x" % zlib.crc32(text) != checksum:
        return None
    document: Document = json.loads(text)
    return document


def read_piece(stream: BinaryIO, limit: int) -> Piece:
    """The next ``limit`` lines, or what is left of the file."""
    documents, lines = [], 0
    while lines < limit and (line := stream.readline()):
        lines += 1
        document = from_line(line)
        if document is not None:
            documents.append(document)
    return Piece(documents, lines)


def read_segment(path: Path, limit: int) -> Iterator[Piece]:
    """All of a segment that somebody else wrote, ``limit`` lines at a time.

    A segment whose first line was torn has been cut before its first sample, and gives nothing.

    Raises:
        ValueError: it has another format.
    """
    with path.open("rb") as stream:
        told = from_line(stream.readline())
        if told not in (None, FORMAT):
            raise ValueError(f"its format is {told}; this version of snipbench reads {FORMAT}")
        while (piece := read_piece(stream, limit)).lines:
            yield piece


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))

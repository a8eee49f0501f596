"""From canonical encodings of rows to one hash, order-insensitive and with duplicates counted.

Each row's encoding is hashed with SHA-256; its first 128 bits, as four unsigned 32-bit lanes, are *added* over all
rows (a set or an exclusive-or would lose duplicates). The sums are exact: four 64-bit integers hold them for up to 2^31
rows, beyond which Spark's ANSI arithmetic fails loudly. Two different multisets of rows get equal sums with probability
at most 2^-128, taking SHA-256 for a random function; the final hash keeps 128 bits too.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence

VERSION = "snipbench-result-1"
"""Enters every hash; a change of the encoding must change it, so that old and new hashes never meet."""

LANES = 4

Lanes = tuple[int, int, int, int]

_FOUR_UNSIGNED = struct.Struct(">4I")


def row_lanes(encoding: str) -> Lanes:
    """The four lanes of one row's canonical encoding."""
    lanes: Lanes = _FOUR_UNSIGNED.unpack_from(hashlib.sha256(utf8(encoding)).digest())
    return lanes


def sum_lanes(encodings: Iterable[str]) -> Lanes:
    """The lanes of many rows added up, in any order."""
    first = second = third = fourth = 0
    for encoding in encodings:
        lanes = row_lanes(encoding)
        first += lanes[0]
        second += lanes[1]
        third += lanes[2]
        fourth += lanes[3]
    return first, second, third, fourth


def frame_hash(classes: Sequence[str], rows: int, lanes: Sequence[int], order: str = "") -> str:
    """Hash of a frame: its columns' classes by position, its rows as a multiset, and what is known of their order."""
    return _digest(["frame", *classes, str(rows), *map(str, lanes), order])


def value_hash(encoding: str) -> str:
    """Hash of one local value."""
    return _digest(["value", encoding])


def _digest(parts: Sequence[str]) -> str:
    text = "".join(f"{len(part)}:{part}" for part in (VERSION, *parts))
    return hashlib.sha256(utf8(text)).hexdigest()[:32]


def utf8(text: str) -> bytes:
    """A text's bytes; lone surrogates, which a Python string may hold, are no error."""
    return text.encode("utf-8", "surrogatepass")

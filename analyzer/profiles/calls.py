"""The calls of one profile pass in columns: as quick to sum up as to read, however many they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snipbench.profiling.directory import UNREADABLE, Piece, read_pieces
from snipbench.profiling.functions import FunctionFacts
from snipbench.profiling.sinks import WIDTH, Batch, functions_of

NUMBER_BITS = 40
"""A call's id is its epoch's place in ``tokens``, shifted by so many bits, and its number there."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function, the same in every process."""

    class_name: str | None
    function_name: str
    source_compressed: bytes | None
    source_md5: str | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What was read beyond wall time in one call; see :mod:`snipbench.profiling.recorder`."""

    cpu_seconds: float | None
    memory_bytes: int | None
    arguments: str | None
    keyword_arguments: str | None
    return_value: str | None
    exception: str | None


@dataclass(slots=True)
class Calls:
    """Arrays hold a value per call, in the order in which they were written."""

    functions: list[Function] = field(default_factory=list)
    uncounted: Counter[int] = field(default_factory=Counter)
    """Calls beyond the bound, by place in ``functions``."""
    broken_lines: int = 0
    tokens: list[str] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    """Without their records."""
    function: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    batch: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    call: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Ids."""
    parent: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Ids; 0 for none."""
    start: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Seconds since 1970."""
    end: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    seconds: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Time of the call; of a generator only while it ran."""
    observed: dict[int, Observed] = field(default_factory=dict)
    """By place of the call."""

    def __len__(self) -> int:
        return len(self.call)


def read_calls(folder: Path) -> Calls:
    """All calls below ``folder``.

    Raises:
        OSError: a file cannot be read.
    """
    gathered = _Gathered()
    for piece in read_pieces(folder):
        try:
            gathered.add(piece)
        except UNREADABLE:
            gathered.calls.broken_lines += 1
    return gathered.finished()


class _Gathered:
    """Collects pieces; a piece is taken whole or not at all."""

    def __init__(self) -> None:
        self.calls = Calls()
        self._functions: dict[tuple[str | None, str, str | None], int] = {}
        self._tokens: dict[str, int] = {}
        self._parts: list[tuple[Any, ...]] = []
        self._count = 0

    def add(self, piece: Piece) -> None:
        self.calls.broken_lines += piece.broken
        for key, calls in piece.overflow.items():
            self.calls.uncounted[self._function(piece.functions[key])] += calls
        if piece.batch is not None and piece.batch.records:
            self._add_batch(piece.functions, piece.batch)

    def _add_batch(self, functions: dict[int, FunctionFacts], batch: Batch) -> None:
        records = batch.records
        if len(records) % WIDTH:
            raise ValueError(f"{len(records)} values are not calls of {WIDTH} values each")
        keys, closer = functions_of(records)
        numbers, parents, starts, ends = (records[place::WIDTH] for place in range(1, WIDTH))
        known = {key: self._function(functions[key]) for key in set(keys)}
        function = np.array([known[key] for key in keys], np.int64)
        call = self._ids(batch, np.array(numbers, np.int64))
        parent = np.array(parents, np.int64)
        parent = np.where(parent > 0, self._ids(batch, parent), 0)
        start, end = np.array(starts, np.float64), np.array(ends, np.float64)
        seconds = end - start
        observed = {}
        for place, (cpu, memory, arguments, keywords, returned, exception, active) in closer.items():
            observed[self._count + place] = Observed(cpu, memory, arguments, keywords, returned, exception)
            if active is not None:
                seconds[place] = active
        offset = batch.clock_offset
        place_of_batch = np.full(batch.call_count, len(self.calls.batches), np.int64)
        self._parts.append((function, place_of_batch, call, parent, start + offset, end + offset, seconds))
        self.calls.observed |= observed
        self.calls.batches.append(batch._replace(records=[]))
        self._count += batch.call_count

    def finished(self) -> Calls:
        calls = self.calls
        if self._parts:
            columns = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
            calls.function, calls.batch, calls.call, calls.parent, calls.start, calls.end, calls.seconds = columns
        return calls

    def _function(self, facts: FunctionFacts) -> int:
        compressed, md5 = facts.source
        identity = (facts.class_name, facts.function_name, md5)
        if identity not in self._functions:
            self._functions[identity] = len(self.calls.functions)
            self.calls.functions.append(Function(facts.class_name, facts.function_name, compressed, md5))
        return self._functions[identity]

    def _ids(self, batch: Batch, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """A forked child goes on counting: the number tells in which process a call began."""
        firsts = [first for first, _ in batch.epochs]
        bases = np.array([self._token(token) << NUMBER_BITS for _, token in batch.epochs], np.int64)
        epochs = np.maximum(np.searchsorted(firsts, numbers, side="right") - 1, 0)
        ids: NDArray[np.int64] = bases[epochs] | numbers
        return ids

    def _token(self, token: str) -> int:
        if token not in self._tokens:
            self._tokens[token] = len(self.calls.tokens)
            self.calls.tokens.append(token)
        return self._tokens[token]

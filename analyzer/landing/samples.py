"""Samples in bulk: JSON texts of the store -> Arrow, a batch at a time, never as Python objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from analyzer.landing.arrow import check_complete
from snipbench.clock import from_text
from snipbench.domain.run import Run
from snipbench.errors import LakeError
from snipbench.lake.tables import TABLES
from snipbench.store.port import BulkReader, DocumentStore

BATCH_BYTES = 32 << 20
"""About this much JSON is parsed at a time; bounds memory to a few times as much."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SAMPLES = TABLES["samples"]


def sample_batches(store: DocumentStore, task_id: str, runs: Sequence[Run]) -> Iterator[pa.Table]:
    """The task's samples as tables of the lake's schema.

    Args:
        store: where they are.
        task_id: whose.
        runs: accepted runs of the task; a sample within one's time gets its ``slot_id``.

    Raises:
        LakeError: a sample has not the shape of :func:`snipbench.records.sample_to_document`.
    """
    times = _RunTimes(runs)
    # SQLite and Arrow both work outside of the interpreter's lock: one reads while the other parses.
    with ThreadPoolExecutor(1, thread_name_prefix="samples") as reader:
        batches = _batches(store, task_id)
        batch = next(batches, None)
        while batch is not None:
            following = reader.submit(next, batches, None)
            try:
                yield _table(batch, times)
            except pa.ArrowException as error:
                raise LakeError(f"table samples: {error}") from error
            batch = following.result()


def _batches(store: DocumentStore, task_id: str) -> Iterator[bytes]:
    """JSON lines, :data:`BATCH_BYTES` or a little more at a time."""
    chunks: list[bytes] = []
    size = 0
    for chunk in _lines(store, task_id):
        chunks.append(chunk)
        size += len(chunk)
        if size >= BATCH_BYTES:
            yield b"".join(chunks)
            chunks, size = [], 0
    if chunks:
        yield b"".join(chunks)


def _lines(store: DocumentStore, task_id: str) -> Iterator[bytes]:
    where = {"task_id": task_id}
    if isinstance(store, BulkReader):
        return store.find_lines("samples", where)
    return (json.dumps(document).encode() + b"\n" for document in store.find("samples", where))


def _table(lines: bytes, times: _RunTimes) -> pa.Table:
    schema = SAMPLES.arrow_schema()
    read = pa.schema([field if field.name != "at" else pa.field("at", pa.string()) for field in schema])
    parsed = arrow_json.read_json(
        pa.BufferReader(lines),
        arrow_json.ReadOptions(block_size=8 << 20),
        arrow_json.ParseOptions(
            explicit_schema=pa.schema([field.with_nullable(True) for field in read if field.name != "slot_id"]),
            unexpected_field_behavior="ignore",
        ),
    )
    at = parsed.column("at").cast(schema.field("at").type)
    columns = {name: parsed.column(name) for name in parsed.column_names}
    columns |= {"at": at, "slot_id": times.slots_at(at)}
    made = pa.table([columns[name] for name in schema.names], names=list(schema.names))
    check_complete(SAMPLES, made)
    return made.cast(schema)


class _RunTimes:
    """Which run was under way when. Runs of a task never overlap."""

    def __init__(self, runs: Sequence[Run]) -> None:
        timed = sorted(runs, key=lambda run: run.outcome.started_at)
        self._slots = pa.array([run.slot_id for run in timed], pa.string())
        self._starts = np.array([_microseconds(run.outcome.started_at) for run in timed], dtype=np.int64)
        self._ends = np.array([_microseconds(run.outcome.ended_at) for run in timed], dtype=np.int64)

    def slots_at(self, at: pa.ChunkedArray) -> pa.ChunkedArray:
        """Slot of each instant, null between runs."""
        known = at.cast(pa.int64()).fill_null(-1).to_numpy()
        index = np.searchsorted(self._starts, known, side="right") - 1
        inside = (index >= 0) & (known <= self._ends[index]) if len(self._ends) else np.zeros(len(known), dtype=bool)
        return self._slots.take(pa.array(index, mask=~inside))


def _microseconds(text: str) -> int:
    return round((from_text(text) - _EPOCH) / timedelta(microseconds=1))

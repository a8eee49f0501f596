"""Samples a second into the stores: in batches as the monitor writes them, and one at a time."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.mongo_server import mongo_database
from benchmarks.result import NotMeasured, Row
from monitor.monitor import MonitorSettings
from monitor.writer import COLLECTION
from snipbench.records.samples import sample_to_document
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.opening import open_store
from snipbench.store.port import Document, DocumentStore

BATCH = MonitorSettings().batch_size
SECONDS = 5.0
ROUNDS = 3
"""The stores take turns, so that a slow moment of the machine does not fall on one alone."""


def run() -> Sequence[Row]:
    """Rates of each store, and how they compare; the second store only where a server is named."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "store.sqlite")
        try:
            with mongo_database() as url:
                rates = _rates({"SQLite": path, "MongoDB's protocol": url})
        except NotMeasured as reason:
            rows = _rows(_rates({"SQLite": path}))
            return (*rows, Row("samples into the server of MongoDB's protocol", None, "samples/s", note=str(reason)))
    batches, singles = (rates["MongoDB's protocol", size] / rates["SQLite", size] for size in (BATCH, 1))
    note = f"one at a time {singles:.2f} ×"
    return (*_rows(rates), Row(f"the server over SQLite, batches of {BATCH}", batches, "×", note=note))


def _rows(rates: dict[tuple[str, int], float]) -> tuple[Row, ...]:
    return tuple(
        Row(f"samples into {name}, {'one at a time' if size == 1 else f'batches of {size}'}", rate, "samples/s")
        for (name, size), rate in rates.items()
    )


def _rates(addresses: dict[str, str]) -> dict[tuple[str, int], float]:
    """Samples a second by store and size of a batch."""
    found: dict[tuple[str, int], float] = {}
    for size in (BATCH, 1):
        counts, seconds = dict.fromkeys(addresses, 0), dict.fromkeys(addresses, 0.0)
        for number, (name, address) in itertools.product(range(ROUNDS), addresses.items()):
            with closing(open_store(address)) as store:
                written, took = _fill(store, f"benchmark-{size}-{number}", size)
            counts[name] += written
            seconds[name] += took
        found |= {(name, size): counts[name] / seconds[name] for name in addresses}
    return found


def _fill(store: DocumentStore, task_id: str, size: int) -> tuple[int, float]:
    """``(samples, seconds)`` of a part of :data:`SECONDS`; making the samples is not in them."""
    samples, written, seconds = _samples(task_id), 0, 0.0
    store.insert(COLLECTION, list(itertools.islice(samples, size)))  # the collection and its index are made
    while seconds < SECONDS / ROUNDS:
        batch = list(itertools.islice(samples, size))
        begun = perf_counter()
        written += store.insert(COLLECTION, batch)
        seconds += perf_counter() - begun
    return written, seconds


def _samples(task_id: str) -> Iterator[Document]:
    """A real reading, again and again under the next number."""
    with closing(ProcessTreeSource()) as source:
        counters = source.read(Target("executor", pid=os.getpid()))
    for number in itertools.count():
        yield sample_to_document(
            counters,
            task_id=task_id,
            experiment="ingest",
            target="executor",
            stream_id="stream",
            sequence=number,
            source=source.name,
        )

"""Samples between the reader and the writer: a bounded queue in memory and, when that does not do, a spool on disk.

Samples leave in the order in which they came: what is in memory is always younger than what is on disk. The spool is
used from :meth:`Backlog.spill` on, or from when memory is full, until the writer has caught up with it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from monitor.events import EventKind
from monitor.spool import Spool, SpoolFull
from snipbench.clock import Clock
from snipbench.store.port import Document


@dataclass(frozen=True, slots=True)
class Remainder:
    """What the writer did not get rid of."""

    spooled: int
    """On disk, for whoever sends it later."""
    lost: int


class Backlog:
    """Safe between one thread that puts, one that takes, and one that ends it.

    Args:
        limit: how many samples may wait in memory, besides the batch that was taken.
        batch_size: how many make a batch full.
        batch_age_seconds: how long a sample may wait for others.
        clock: tells the age.
        report: takes kind, target (always ``None``), message of an event.
        spool: where samples go that memory should not keep; ``None``: nowhere.
    """

    def __init__(
        self,
        limit: int,
        batch_size: int,
        batch_age_seconds: float,
        *,
        clock: Clock,
        report: Callable[[EventKind, str | None, str], None],
        spool: Spool | None = None,
    ) -> None:
        self._limit = limit
        self._batch_size = batch_size
        self._batch_age_seconds = batch_age_seconds
        self._clock = clock
        self._report = report
        self._spool = spool
        self._changed = threading.Condition()
        self._memory: deque[Document] = deque()
        self._due = 0.0
        """When the oldest sample in memory has waited long enough."""
        self._batch: list[Document] = []
        self._batch_lines = 0
        """How many of the spool's oldest lines are the batch that was taken."""
        self._batch_is_resent = False
        self._spilling = False
        self._refusal: str | None = None
        self._losing = False
        self._closed = False
        self._over = False
        self._spooled_before = 0
        self.dropped = 0
        """Samples that found no place."""
        self.overflowed = 0
        """Those of them that found the spool full or broken."""
        self.spooled = 0
        """Samples that went to disk."""
        self.resent = 0
        """Samples that the store got from there."""
        self.torn = 0
        """Samples that the disk did not give back as they were."""

    def put(self, document: Document) -> None:
        """Take a sample. Never waits for the store; one that finds no place is counted and told."""
        with self._changed:
            if self._closed:
                self._lose("the monitor has stopped")
                return
            if not self._memory:
                self._due = self._clock.monotonic() + self._batch_age_seconds
            self._memory.append(document)
            if self._spilling:
                self._pour()
            elif len(self._memory) > self._limit and self._spool is not None:
                self._spill(f"the queue of {self._limit} samples is full")
            if len(self._memory) > self._limit:
                self._memory.pop()
                self._lose(self._refusal or f"the queue of {self._limit} samples is full")
            elif self._losing and len(self._memory) <= self._limit // 2:
                # Not at the first free place: a store that is just too slow would make an event of every sample.
                self._losing = False
                self._tell_dropped()
            if self._spilling or len(self._memory) in {1, self._batch_size}:
                self._changed.notify_all()

    def spill(self, why: str) -> None:
        """From now on samples go to disk, with those that are in memory and the batch that was taken."""
        with self._changed:
            self._spill(why)

    def take(self, timeout_seconds: float) -> list[Document]:
        """The next batch: full, or old enough; empty after ``timeout_seconds``. It must be settled before the next."""
        with self._changed:
            if not self._ready():
                self._changed.wait(min(timeout_seconds, self._seconds_until_due()))
            if self._over or not self._ready():
                return []
            self._batch_is_resent = self._on_disk > 0
            if self._batch_is_resent:
                self._read_spool()
            else:
                size = min(self._batch_size, len(self._memory))
                self._batch = [self._memory.popleft() for _ in range(size)]
                self._due = self._clock.monotonic() + self._batch_age_seconds
            return self._batch

    def settle(self, *, stored: bool) -> None:
        """The batch that was taken is in the store, or will never be."""
        with self._changed:
            if self._over:
                return
            if stored and self._batch_is_resent:
                self.resent += len(self._batch)
            self._forget_batch()

    def close(self) -> None:
        """The last sample was put."""
        with self._changed:
            self._closed = True
            if self._losing:
                self._tell_dropped()
            self._changed.notify_all()

    @property
    def done(self) -> bool:
        """Whether there will never be another batch."""
        with self._changed:
            return self._over or (self._closed and not self._memory and not self._on_disk)

    def end(self) -> Remainder:
        """Give up: what is left goes to disk if it may. Whatever the writer says of its batch later is not heard."""
        with self._changed:
            if self._spilling and not self._over:
                self._save()  # what the disk refused before may find a place now
            elif self._batch or self._memory:
                self._spill("the monitor stops before the store has everything")
            spooled = self._on_disk
            lost = len(self._memory) + max(0, len(self._batch) - self._batch_lines)
            self._over = self._closed = True
            self._batch = []
            self._memory.clear()
            if self._spool is not None:
                self._spool.close()
            self._changed.notify_all()
            return Remainder(spooled, lost)

    @property
    def _on_disk(self) -> int:
        return 0 if self._spool is None else self._spool.waiting

    def _ready(self) -> bool:
        if self._on_disk or len(self._memory) >= self._batch_size:
            return True
        return bool(self._memory) and (self._closed or self._clock.monotonic() >= self._due)

    def _seconds_until_due(self) -> float:
        return max(0.0, self._due - self._clock.monotonic()) if self._memory else float("inf")

    def _read_spool(self) -> None:
        if self._spool is None:
            return
        piece = self._spool.read(self._batch_size)
        self._batch, self._batch_lines = piece.documents, piece.lines
        if piece.torn:
            self.torn += piece.torn
            self._report(EventKind.SPOOL_TORN, None, f"{piece.torn} samples came back damaged and are left out")
        if not piece.documents:
            self._forget_batch()

    def _forget_batch(self) -> None:
        if self._spool is not None:
            self._spool.discard(self._batch_lines)
            if self._spilling and not self._spool.waiting:
                self._spilling, self._refusal = False, None
                sent = self.spooled - self._spooled_before
                if sent:
                    self._report(EventKind.SPOOL_SENT, None, f"the writer has caught up with {sent} samples on disk")
        self._batch, self._batch_lines = [], 0

    def _spill(self, why: str) -> None:
        if self._spool is None or self._spilling or self._over:
            return
        self._spilling, self._spooled_before = True, self.spooled
        self._report(EventKind.SPOOL_BEGUN, None, f"samples go to disk: {why}")
        self._save()

    def _save(self) -> None:
        """The batch that was taken and memory to disk, as far as that takes them."""
        if self._spool is None:
            return
        self._spool.try_again()
        try:
            for document in self._batch[self._batch_lines :]:
                self._spool.append(document)
                self.spooled += 1
                self._batch_lines += 1
        except SpoolFull as error:
            self._refusal = str(error)
        self._pour()

    def _pour(self) -> None:
        """Memory to disk, as far as that takes it."""
        if self._spool is None:
            return
        try:
            while self._memory:
                self._spool.append(self._memory[0])
                self.spooled += 1
                self._memory.popleft()
                self._refusal = None
        except SpoolFull as error:
            self._refusal = str(error)

    def _lose(self, why: str) -> None:
        self.dropped += 1
        kind = EventKind.SAMPLES_DROPPED
        if self._refusal is not None:
            self.overflowed += 1
            kind = EventKind.SPOOL_OVERFLOWED
        if not self._losing:
            self._losing = True
            self._report(kind, None, why)

    def _tell_dropped(self) -> None:
        self._report(EventKind.SAMPLES_DROPPED, None, f"{self.dropped} samples dropped in all so far")

"""Samples -> batches -> store. No thread and no clock of its own: both are given."""

from __future__ import annotations

from collections.abc import Callable

from monitor.activity import Activity
from monitor.events import EventKind
from snipbench.clock import Clock
from snipbench.errors import StoreError
from snipbench.store.port import Document, DocumentStore

COLLECTION = "samples"
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class BatchWriter:
    """Collects samples and inserts them when there are enough, or when the oldest is old enough.

    A store that is away is tried again, with growing pauses, until it takes the batch or ``may_retry`` says no; a
    second insert of the same samples changes nothing, since their ids say what they are.

    Args:
        store: takes the batches.
        batch_size: samples that make a batch full.
        batch_age_seconds: how long a sample may wait for others.
        clock: tells the time.
        activity: learns of each insert, for whoever watches for stalls.
        pause: lets seconds pass between two tries.
        may_retry: whether there is time for another try.
        report: takes kind, target (always ``None``), message of an event.
    """

    def __init__(
        self,
        store: DocumentStore,
        batch_size: int,
        batch_age_seconds: float,
        *,
        clock: Clock,
        activity: Activity,
        pause: Callable[[float], None],
        may_retry: Callable[[], bool],
        report: Callable[[EventKind, str | None, str], None],
    ) -> None:
        self._store = store
        self._batch_size = batch_size
        self._batch_age_seconds = batch_age_seconds
        self._clock = clock
        self._activity = activity
        self._pause = pause
        self._may_retry = may_retry
        self._report = report
        self._batch: list[Document] = []
        self._due = 0.0
        self.written = 0
        """Samples that the store has."""
        self.lost = 0
        """Samples that it refused, or had no time for."""
        self.batches = 0
        """Inserts that succeeded."""
        self.retries = 0
        """Inserts that were tried again."""

    @property
    def waiting(self) -> int:
        """Samples in the unfinished batch."""
        return len(self._batch)

    def seconds_until_due(self) -> float | None:
        """Until the unfinished batch is old enough; ``None`` when it is empty."""
        return max(0.0, self._due - self._clock.monotonic()) if self._batch else None

    def add(self, document: Document) -> None:
        """Take a sample; writes the batch if that makes it full."""
        if not self._batch:
            self._due = self._clock.monotonic() + self._batch_age_seconds
        self._batch.append(document)
        if len(self._batch) >= self._batch_size:
            self.flush()

    def flush_if_due(self) -> None:
        """Write the unfinished batch if its oldest sample has waited long enough."""
        if self._batch and self._clock.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write the unfinished batch now."""
        if not self._batch:
            return
        pause_seconds = _FIRST_PAUSE_SECONDS
        failure = self._insert()
        failing = failure is not None and failure[1]
        if failing and failure is not None:
            self._report(EventKind.STORE_FAILING, None, failure[0])
        while failure is not None and failure[1] and self._may_retry():
            self._pause(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            self.retries += 1
            failure = self._insert()
        if failure is None:
            self.written += len(self._batch)
            self.batches += 1
            if failing:
                self._report(EventKind.STORE_RESUMED, None, f"after {self.retries} tries in all")
        else:
            self.lost += len(self._batch)
            self._report(EventKind.SAMPLES_LOST, None, f"{len(self._batch)} samples: {failure[0]}")
        self._batch = []

    def _insert(self) -> tuple[str, bool] | None:
        """Try once. ``None``: done; else what is wrong, and whether trying again can help."""
        self._activity.begin("insert", self._clock.monotonic())
        failure = None
        try:
            self._store.insert(COLLECTION, self._batch)
        except StoreError as error:
            failure = str(error), error.retryable
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end as an event and not as a silent thread
            failure = f"{type(error).__name__}: {error}", False
        stalled = self._activity.end(self._clock.monotonic())
        if stalled is not None:
            self._report(EventKind.STORE_RESUMED, None, f"the insert took {stalled:.1f} s")
        return failure

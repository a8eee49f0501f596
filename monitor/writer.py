"""Batches -> store. No thread and no clock of its own: both are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.activity import Activity
from monitor.events import EventKind
from snipbench.clock import Clock
from snipbench.errors import StoreError
from snipbench.store.port import Document, DocumentStore

COLLECTION = "samples"
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class BatchWriter:
    """Inserts batches.

    A store that is away is tried again, with growing pauses, until it takes the batch or ``may_retry`` says no; a
    second insert of the same samples changes nothing, since their ids say what they are.

    Args:
        store: takes the batches.
        clock: tells the time.
        activity: learns of each insert, for whoever watches for stalls.
        pause: lets seconds pass between two tries.
        may_retry: whether there is time for another try.
        on_away: called at the first try that failed, with what is wrong.
        report: takes kind, target (always ``None``), message of an event.
    """

    def __init__(
        self,
        store: DocumentStore,
        *,
        clock: Clock,
        activity: Activity,
        pause: Callable[[float], None],
        may_retry: Callable[[], bool],
        on_away: Callable[[str], None],
        report: Callable[[EventKind, str | None, str], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._activity = activity
        self._pause = pause
        self._may_retry = may_retry
        self._on_away = on_away
        self._report = report
        self.written = 0
        """Samples that the store has."""
        self.refused = 0
        """Samples that it will never take."""
        self.batches = 0
        """Inserts that succeeded."""
        self.retries = 0
        """Inserts that were tried again."""

    def write(self, batch: Sequence[Document]) -> bool | None:
        """Whether the store took the batch (else it refused it); ``None``: it is away and there is no more time."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        # Only the first try can be news: a store that is known to be away may take its time to say so again.
        self._activity.begin("insert", self._clock.monotonic())
        failure = self._insert(batch)
        stalled = self._activity.end(self._clock.monotonic())
        if stalled is not None and failure is None:
            self._report(EventKind.STORE_RESUMED, None, f"the insert took {stalled:.1f} s")
        failing = failure is not None and failure[1]
        if failing and failure is not None:
            self._report(EventKind.STORE_FAILING, None, failure[0])
            self._on_away(failure[0])
        while failure is not None and failure[1]:
            if not self._may_retry():
                return None
            self._pause(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            self.retries += 1
            failure = self._insert(batch)
        if failure is not None:
            self.refused += len(batch)
            self._report(EventKind.SAMPLES_LOST, None, f"{len(batch)} samples: {failure[0]}")
            return False
        self.written += len(batch)
        self.batches += 1
        if failing:
            self._report(EventKind.STORE_RESUMED, None, f"after {self.retries} tries in all")
        return True

    def _insert(self, batch: Sequence[Document]) -> tuple[str, bool] | None:
        """Try once. ``None``: done; else what is wrong, and whether trying again can help."""
        try:
            self._store.insert(COLLECTION, batch)
        except StoreError as error:
            return str(error), error.retryable
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end as an event and not as a silent thread
            return f"{type(error).__name__}: {error}", False
        return None

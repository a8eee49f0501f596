"""Ringing again for what nobody does: after a broker lost its messages, a leader died, a store came back."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from orchestrator.dispatch.port import Dispatch, Work
from orchestrator.leading.lease import is_held
from snipbench import records
from snipbench.clock import Clock
from snipbench.errors import SnipbenchError
from snipbench.store.port import DocumentStore

_log = logging.getLogger("snipbench.reconciler")
INTERVAL_SECONDS = 2.0
PATIENCE_ROUNDS = (5, 10, 20, 30)
"""After how many rounds a bell is rung again, each time; a worker that is busy has it in its queue already."""


Bell = tuple[Work, str]


@dataclass(slots=True)
class _Patience:
    """How often a bell was rung while nobody answered, and for how many rounds it is left alone now."""

    rung: int = 0
    rounds: int = 0


class Reconciler:
    """Looks through the store every ``interval`` seconds. Several of them at once do no harm: leases decide."""

    def __init__(
        self, store: DocumentStore, clock: Clock, dispatch: Dispatch, *, interval: float = INTERVAL_SECONDS
    ) -> None:
        self._store = store
        self._clock = clock
        self._dispatch = dispatch
        self._interval = interval
        self._rung: dict[Bell, _Patience] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin looking, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()

    def look(self) -> list[Bell]:
        """One round; what was rung for.

        Raises:
            StoreError, DispatchAway: the store or the broker is away.
        """
        left = [
            (Work.LEAD, str(document["_id"]))
            for document in self._store.find(
                "tasks", {"settled": False, "mode": "services"}, order_by=("requested_at",)
            )
            if not self._is_led(document)
        ]
        left += [
            (Work.ANALYSE, str(document["_id"]))
            for document in self._store.find("analyses", {"status": "queued"}, order_by=("requested_at",))
        ]
        self._rung = {bell: self._rung.get(bell, _Patience()) for bell in left}
        rung = []
        for bell, patience in self._rung.items():
            patience.rounds -= 1
            if patience.rounds < 0:
                self._dispatch.ring(*bell)
                rung.append(bell)
                patience.rounds = PATIENCE_ROUNDS[min(patience.rung, len(PATIENCE_ROUNDS) - 1)]
                patience.rung += 1
        return rung

    def _is_led(self, document: dict[str, object]) -> bool:
        lease = records.task_from_document(document).lease
        return lease is not None and is_held(lease, self._clock)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except SnipbenchError as error:
                _log.warning("cannot look for work that is left: %s", error)
            except Exception:  # noqa: BLE001 - a thread that ends unseen would leave work undone
                _log.exception("looking for work that is left failed")
            if self._end.wait(self._interval):
                return

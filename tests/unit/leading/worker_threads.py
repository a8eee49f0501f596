"""Workers as threads of this process, told by a dispatch that there is work."""

from __future__ import annotations

import threading
from dataclasses import replace

from orchestrator.dispatch.concluding import conclude
from orchestrator.dispatch.executing import execute
from orchestrator.dispatch.monitoring import watch
from orchestrator.dispatch.port import Work
from orchestrator.leading.kept_session import KeptSession
from orchestrator.leading.parts import Parts
from orchestrator.leading.taking import AssignmentGone, Taken
from snipbench.errors import SnipbenchError
from tests.unit.leading.memory import CLOCK


class Threads:
    """A dispatch whose workers are threads of this process. ``holds`` are the assignments taken, by kind of work."""

    def __init__(self) -> None:
        self.parts: Parts | None = None
        self.holds: dict[Work, list[Taken]] = {work: [] for work in Work}
        self.errors: list[BaseException] = []
        self.absent: set[Work] = set()
        self.kept = KeptSession()
        self._threads: list[threading.Thread] = []

    def ring(self, work: Work, subject: str) -> None:
        if work not in self.absent:
            self._threads.append(threading.Thread(target=self._work, args=(work, subject)))
            self._threads[-1].start()

    def ready(self) -> None:
        """Always."""

    def close(self) -> None:
        self.kept.close()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _work(self, work: Work, subject: str) -> None:
        assert self.parts is not None
        try:
            with Taken.take(self.parts.store, CLOCK, subject) as hold:
                self.holds[work].append(hold)
                if work is Work.ANALYSE:
                    conclude(self.parts, hold)
                elif work is Work.EXECUTE:
                    lock = self.parts.home.root / f"{subject}.lock"
                    execute(replace(self.parts, machine_lock=lock), hold, self.kept)  # a machine each
                else:
                    watch(self.parts.store, CLOCK, self.parts.home.spool, hold)
        except AssignmentGone:
            pass
        except SnipbenchError as error:
            self.errors.append(error)


def events(parts: Parts, task_id: str) -> list[dict[str, object]]:
    return list(parts.store.find("events", {"task_id": task_id}, order_by=("sequence",)))

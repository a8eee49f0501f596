"""A worker of the broker: one process that does one piece of work at a time."""

from __future__ import annotations

import threading

from celery.signals import worker_ready, worker_shutting_down

from orchestrator import wiring
from orchestrator.dispatch.port import Work
from orchestrator.dispatch.queue import TASK, make_app
from orchestrator.logs import log_to
from orchestrator.settings import ServiceSettings
from snipbench.errors import UsageError


def serve_worker(settings: ServiceSettings, role: str) -> None:
    """Take work from the queue of ``role`` until SIGTERM; a task under way is then left for the next leader.

    Raises:
        UsageError: the settings name no broker.
    """
    if settings.broker is None:
        raise UsageError("a worker needs a broker: set SNIPBENCH_BROKER, as in redis://127.0.0.1:6379/0")
    log_to(secrets=settings.secrets())
    app = make_app(settings.broker)
    worker = wiring.worker(settings)

    def work(kind: str, subject: str) -> None:
        worker.handle(Work(kind), subject)

    app.task(name=TASK)(work)

    def end(**_: object) -> None:
        # From another thread: the signal may have come while this one held a lock that stopping needs.
        threading.Thread(target=worker.stop, name="stop").start()

    def ready(**_: object) -> None:
        if settings.ready_file is not None:
            settings.ready_file.touch()

    worker_ready.connect(ready, weak=False)
    worker_shutting_down.connect(end, weak=False)
    app.Worker(queues=[Work(role).value], pool="solo", concurrency=1, without_gossip=True, without_mingle=True).start()

"""Serving the initializer: the provider that the settings choose, uvicorn in front, a look at orphans beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator import wiring
from orchestrator.api.serving import answer, listening
from orchestrator.databases.docker.engine import connect
from orchestrator.initializer import statistics
from orchestrator.initializer.app import Initializer, create_app
from orchestrator.initializer.orphans import Orphans
from orchestrator.initializer.requests import Requests
from orchestrator.leading.parts import Home
from orchestrator.logs import log_to
from orchestrator.settings import ServiceSettings
from snipbench.clock import SystemClock
from snipbench.errors import UsageError
from snipbench.store.opening import open_store


@contextmanager
def initializer(settings: ServiceSettings) -> Iterator[Initializer]:
    """What stands behind the interface. Leftovers of an initializer that died are cleared up or taken over first.

    Raises:
        UsageError: the settings name no token, or another initializer.
        MachineError: there is no Docker engine.
    """
    if settings.initializer_token is None:
        raise UsageError("the initializer needs a token: set SNIPBENCH_INITIALIZER_TOKEN_FILE")
    if settings.databases == "initializer":
        raise UsageError("an initializer serves databases itself: set SNIPBENCH_DATABASES to docker or embedded")
    clock = SystemClock()
    settings.home.mkdir(parents=True, exist_ok=True)
    provider = wiring.initializing(settings, clock)
    provider.reap()
    store = open_store(settings.store)
    requests = Requests()
    orphans = Orphans(provider, store, clock)
    orphans.start()
    try:
        yield Initializer(provider, store, Home(settings.home), settings.initializer_token, requests)
    finally:
        orphans.stop()
        requests.close()
        store.close()


def serve(settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until SIGTERM. Containers go on without this process; the next one takes them over.

    Raises:
        UsageError, MachineError: as :func:`initializer`, or the address is taken.
    """
    log_to(secrets=settings.secrets())
    with listening(host, port) as listener, initializer(settings) as parts:
        app = create_app(parts)
        if settings.databases == "docker" and settings.databases_network is not None:
            statistics.install(app, connect(), settings.databases_network)
        answer(app, listener)

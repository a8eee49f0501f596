"""A mode is a choice of adapters, made here and nowhere else."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import psutil

from executor.calls import SessionSpec
from executor.engine import Engine
from executor.machine_lock import DEFAULT_PATH
from orchestrator import jars
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import DatabaseProvider
from orchestrator.databases.statements import cancel_backends
from orchestrator.dispatch.worker import Worker
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.progress import LoggedProgress, Progress
from orchestrator.leading.roles import HERE, Roles, at_workers
from orchestrator.proving.sandboxing import BwrapSandboxing
from orchestrator.settings import ServiceSettings
from snipbench.clock import Clock, SystemClock
from snipbench.errors import UsageError
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.combined import CombinedSource, in_group, is_process
from snipbench.resources.port import CounterSource
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.opening import open_store
from snipbench.store.patient import PatientStore
from snipbench.store.port import DocumentStore

RESULT_GRACE_SECONDS = 30.0
"""How much longer than its time-out an untimed pass may take; ``SNIPBENCH_RESULT_GRACE_SECONDS`` sets another."""
MEMORY_SHARE = 0.6
"""Share of the machine's memory that a session's process tree may use before it is killed."""


Databases = Literal["embedded", "docker"]
"""What serves reference databases: processes of this machine, or containers of its Docker engine."""


def provider(home: Path, databases: Databases = "embedded", clock: Clock | None = None) -> DatabaseProvider:
    """The reference database provider of that name.

    Raises:
        UsageError: there can be no home.
        MachineError: the machine lacks what it needs.
    """
    clock, place = clock or SystemClock(), made_home(home)
    if databases == "embedded":
        return EmbeddedProvider(place, clock)
    from orchestrator.databases.docker.provider import DockerProvider

    return DockerProvider(place, clock)


def made_home(home: Path) -> Path:
    """The home's absolute path; its folder is made where it is not there.

    Raises:
        UsageError: it cannot be made, or nothing can be written into it.
    """
    try:
        place = home.resolve()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"the home {str(home)!r} cannot be made ({reason}); name another folder with --home"
        ) from error
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"nothing can be written into the home {str(home)!r}; name another folder with --home")
    return place


def initializing(settings: ServiceSettings, clock: Clock) -> DatabaseProvider:
    """What the initializer serves databases with; it answers for what a former initializer of this home left.

    Raises:
        MachineError: the machine lacks what it needs.
    """
    if settings.databases == "embedded":
        return EmbeddedProvider(settings.home, clock)
    from orchestrator.databases.docker.provider import DockerProvider

    served = DockerProvider(settings.home, clock, network=settings.databases_network)
    served.take_over()
    return served


def service_provider(settings: ServiceSettings, clock: Clock) -> DatabaseProvider:
    """What serves a service's reference databases: this process, or the initializer that the settings name.

    Raises:
        UsageError: the initializer's address or token is missing.
        MachineError: the machine lacks what it needs.
    """
    if settings.databases != "initializer":
        return provider(settings.home, settings.databases, clock)
    if settings.initializer_url is None or settings.initializer_token is None:
        raise UsageError("databases of an initializer need SNIPBENCH_INITIALIZER_URL and …_TOKEN_FILE")
    from orchestrator.databases.remote import RemoteProvider

    return RemoteProvider(settings.initializer_url, settings.initializer_token.value, clock)


def counter_source() -> CounterSource:
    """What brackets runs: a container's control group, which is exact, else the tree of processes."""
    return CombinedSource([(in_group, CgroupSource()), (is_process, ProcessTreeSource())])


@contextmanager
def embedded(
    home: Path,
    progress: Progress,
    databases: Databases = "embedded",
    *,
    mode: str | None = None,
    store_address: str | None = None,
    roles: Roles = HERE,
    served: DatabaseProvider | None = None,
) -> Iterator[Parts]:
    """Everything on this machine. Leftovers of killed commands are reaped first.

    A service leads with the same parts, its tasks standing in the store of ``store_address``, which may be away for a
    moment, ``roles`` at workers, and its databases ``served`` by what the settings choose.
    """
    place = Home(made_home(home))
    clock = SystemClock()
    source = counter_source()
    address = store_address or str(place.store)
    store = open_store(address) if store_address is None else PatientStore(open_store(address), clock)
    served = served or provider(place.root, databases, clock)
    for leftover in served.reap():
        progress.note(f"reaped {leftover}")
    try:
        yield Parts(
            mode=mode or databases,
            home=place,
            store=store,
            store_address=address,
            clock=clock,
            databases=served,
            jars=jars.ensure(progress.note),
            progress=progress,
            roles=roles,
            counter_source=source,
            new_engine=lambda spec: _engine(spec, clock, source),
            sandboxing=BwrapSandboxing(clock, source, os.environ),
            cancel_backends=cancel_backends,
            machine_lock=Path(os.environ.get("SNIPBENCH_MACHINE_LOCK", DEFAULT_PATH)),
            result_grace_seconds=_seconds("SNIPBENCH_RESULT_GRACE_SECONDS", RESULT_GRACE_SECONDS),
            memory_cap_bytes=int(psutil.virtual_memory().total * MEMORY_SHARE),
        )
    finally:
        source.close()
        store.close()


def _seconds(variable: str, default: float) -> float:
    """A duration from the environment.

    Raises:
        UsageError: it is none.
    """
    text = os.environ.get(variable)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UsageError(f"{variable} must be a number of seconds, not {text!r}")
    return seconds


def _engine(spec: SessionSpec, clock: SystemClock, source: CounterSource) -> Engine:
    return Engine(spec, clock, source)


@contextmanager
def service(settings: ServiceSettings) -> Iterator[Parts]:
    """What a service works with: the store of the settings, progress in the log, and workers where there is a broker.

    Without one, whoever leads does everything.
    """
    with ExitStack() as stack:
        roles = HERE
        if settings.broker is not None:
            from orchestrator.dispatch.queue import QueueDispatch

            roles = at_workers(stack.enter_context(closing(QueueDispatch(settings.broker))))
        yield stack.enter_context(
            embedded(
                settings.home,
                LoggedProgress(),
                mode="services",
                store_address=settings.store,
                roles=roles,
                served=service_provider(settings, SystemClock()),
            )
        )


def worker(settings: ServiceSettings) -> Worker:
    """What does the work of a service, of whatever kind it is."""

    @contextmanager
    def store() -> Iterator[DocumentStore]:
        opened = open_store(settings.store)
        try:
            yield opened
        finally:
            opened.close()

    return Worker(partial(service, settings), store, Home(settings.home).spool)

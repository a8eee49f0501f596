"""Serving the API: who may reach it, what stands behind it, uvicorn in front."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from orchestrator import wiring
from orchestrator.api.app import create_app
from orchestrator.api.limits import is_loopback
from orchestrator.api.service import Service
from orchestrator.api.tokens import Tokens
from orchestrator.dispatch.inline import InlineDispatch
from orchestrator.dispatch.port import Dispatch
from orchestrator.logs import log_to
from orchestrator.settings import ServiceSettings
from snipbench.clock import SystemClock
from snipbench.errors import MachineError, UsageError
from snipbench.store.opening import open_store

GRACE_SECONDS = 3
"""What requests under way have when the end is asked for."""


def check_exposure(host: str, tokens: Tokens | None) -> None:
    """Refuse to listen beyond this machine without tokens.

    Raises:
        UsageError: the address is not the loopback's, and there are no tokens.
    """
    if tokens is None and not is_loopback(host):
        raise UsageError(
            f"refusing to listen on {host} without tokens: anybody who reaches it could run code here. "
            "Name a token file with --tokens (`snipbench serve --new-token NAME` makes an entry)"
        )


@contextmanager
def service(settings: ServiceSettings, tokens: Tokens | None) -> Iterator[Service]:
    """The parts behind the API, closed at the end."""
    settings.home.mkdir(parents=True, exist_ok=True)
    store = open_store(settings.store)
    try:
        with dispatching(settings) as dispatch:
            yield Service(settings, store, SystemClock(), dispatch, tokens)
    finally:
        store.close()


@contextmanager
def dispatching(settings: ServiceSettings) -> Iterator[Dispatch]:
    """The dispatch that the settings choose: through the broker they name, or in this process."""
    dispatch: Dispatch
    if settings.broker is not None:
        from orchestrator.dispatch.queue import QueueDispatch

        dispatch = QueueDispatch(settings.broker)
    else:
        worker = wiring.worker(settings)
        dispatch = InlineDispatch(worker.handle, worker.stop)
    try:
        yield dispatch
    finally:
        dispatch.close()


def serve(settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C. A task that this process leads is left for the next leader.

    Raises:
        UsageError: the token file is broken, or the address may not be listened on.
        MachineError: the address is taken.
    """
    tokens = None if settings.tokens_file is None else Tokens.read(settings.tokens_file)
    check_exposure(host, tokens)
    log_to(secrets=settings.secrets())
    with listening(host, port) as listener, service(settings, tokens) as parts:
        shown = f"[{host}]" if ":" in host else host
        print(f"snipbench API at http://{shown}:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - for a person
        answer(create_app(parts), listener)


def answer(app: FastAPI, listener: socket.socket) -> None:
    """Serve on the socket until SIGTERM or Ctrl-C."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    uvicorn.Server(config).run(sockets=[listener])


def _raise_exit(*_: object) -> None:
    """SIGTERM before or after uvicorn, which raises it again when it has ended, must not skip the closing."""
    raise SystemExit(0)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, made before anything else, so that a taken port costs nothing; SIGTERM ends the process
    orderly from here on.

    Raises:
        MachineError: the address is taken.
    """
    signal.signal(signal.SIGTERM, _raise_exit)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise MachineError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    with listener:
        yield listener

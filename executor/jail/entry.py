"""The first program in a jail: gives up what is left of its rights, starts the relay, becomes the command.

The JSON that it gets says ``limits`` (:class:`executor.jail.bwrap.Limits`), ``user`` (a number, or null) and whether
there is a ``relay``.
"""

from __future__ import annotations

import json
import os
import resource
import signal

from executor.jail.filter import install
from executor.jail.furniture import Furniture
from executor.jail.relay import PORT, Relay, listen_on_loopback, to_socket


def main(arguments: list[str]) -> None:
    """Become the command: all but the first argument, which is the JSON. Does not return."""
    settings, *argv = arguments
    options = json.loads(settings)
    _limit(options["limits"])
    if (user := options["user"]) is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    install()
    if options["relay"]:
        _start_relay()
    os.execv(argv[0], argv)


def _limit(limits: dict[str, int]) -> None:
    for what, most in (
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _start_relay() -> None:
    """In a process that is nobody's child here, so that the command has no child that it does not know of."""
    listener = listen_on_loopback(PORT)  # before the fork: the command finds the port open
    if (child := os.fork()) != 0:
        os.waitpid(child, 0)
        listener.close()
        return
    if os.fork() == 0:
        _relay(listener.detach())
    os._exit(0)


def _relay(listener: int) -> None:
    import socket

    keep = os.dup2(listener, 3, inheritable=False) if listener != 3 else 3
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))  # the session's channel above all
    relay = Relay(socket.socket(fileno=keep), to_socket(Furniture.NETWORK / Furniture.SOCKET))
    del relay  # its threads go on
    while True:
        signal.pause()

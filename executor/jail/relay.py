"""Bytes between two sockets: the way from a jail, which has no network, to the one database that it may reach.

In the jail a relay listens on a loopback port, to which the JDBC driver connects, and goes on to a Unix socket that is
bound into the jail; out here another one listens on that socket and goes on to the database. Neither reads the bytes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

PORT = 5432
"""The loopback port in the jail, whose network has nothing else on it."""

MAX_CONNECTIONS = 64
"""At once; a further one is closed at once, so that a snippet cannot fill this process with threads."""

_CHUNK_BYTES = 2**18


class Relay:
    """Accepts connections on threads of its own until :meth:`close`. Closes ``listener`` then.

    Args:
        listener: bound and listening.
        connect: makes the connection onwards; what it raises as OSError closes the one that came in.
    """

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._listener = listener
        self._connect = connect
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._count = 0
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many are open now."""
        with self._lock:
            return self._count

    def drop(self) -> None:
        """End every connection; new ones are accepted."""
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):  # it has ended by itself
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End every connection and accept no more."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.drop()

    def _accept(self) -> None:
        while not self._closed:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                continue
            with self._lock:
                welcome = self._count < MAX_CONNECTIONS
                self._count += welcome
            if welcome:
                threading.Thread(target=self._serve, args=(inner,), name="relay-connection", daemon=True).start()
            else:
                inner.close()

    def _serve(self, inner: socket.socket) -> None:
        try:
            with inner, self._connect() as outer:
                ends = {inner, outer}
                with self._lock:
                    self._open |= ends
                try:
                    back = threading.Thread(target=_pump, args=(outer, inner), name="relay-back", daemon=True)
                    back.start()
                    _pump(inner, outer)
                    back.join()
                finally:
                    with self._lock:
                        self._open -= ends
        except OSError:  # the database does not answer; the client sees its connection closed
            pass
        finally:
            with self._lock:
                self._count -= 1


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Until either side ends; then both are told."""
    try:
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)
    except OSError:  # the other direction has ended it
        pass
    for end in (sink, source):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def to_address(host: str, port: int) -> Callable[[], socket.socket]:
    """Connects to a TCP address."""

    def connect() -> socket.socket:
        made = socket.create_connection((host, port), timeout=10.0)
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    return connect


def to_socket(path: Path) -> Callable[[], socket.socket]:
    """Connects to a Unix socket."""

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(path))
        except OSError:
            made.close()
            raise
        return made

    return connect


def listen_on_socket(path: Path) -> socket.socket:
    """A listening Unix socket that any user who gets to its directory may connect to."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(MAX_CONNECTIONS)
    return listener


def listen_on_loopback(port: int) -> socket.socket:
    """A listening TCP socket on 127.0.0.1."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(MAX_CONNECTIONS)
    return listener

"""A TCP relay before a server, to take the server away from its clients without touching it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit


class Relay:
    """Listens on a loopback port of its own and passes everything on.

    Args:
        host, port: the server's.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._cut = False
        self._lose_replies = False
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    @classmethod
    def to(cls, url: str) -> tuple[Relay, str]:
        """A relay to the server of a URL, and the URL that leads through it."""
        parts = urlsplit(url)
        relay = cls(parts.hostname or "127.0.0.1", parts.port or 27017)
        return relay, urlunsplit(parts._replace(netloc=f"127.0.0.1:{relay.port}"))

    def hold(self) -> None:
        """Bytes wait, as if the server was stopped."""
        self._flowing.clear()

    def cut(self) -> None:
        """Every connection ends, and new ones end at once, as if the server was gone."""
        self._cut = True
        self._flowing.set()
        self._close_all()

    def lose_replies(self) -> None:
        """The next reply, to whatever the server has done by then, ends its connection instead of arriving."""
        self._lose_replies = True

    def restore(self) -> None:
        """All is well again."""
        self._cut = self._lose_replies = False
        self._flowing.set()

    def close(self) -> None:
        """End it."""
        self._cut = True
        self._flowing.set()
        self._listener.close()
        self._close_all()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                if self._cut:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._open |= {client, server}
                for ends in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass_on, args=ends, name="relay", daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:
        with suppress(OSError):
            while block := source.recv(1 << 16):
                self._flowing.wait()
                if self._cut or (replies and self._lose_replies):
                    break
                sink.sendall(block)
        with self._lock:
            self._open -= {source, sink}
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _close_all(self) -> None:
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

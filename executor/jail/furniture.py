"""The few files that a jail has to itself: who its user is, what its host is called, the door to its database."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

_MODE = 0o755


class Furniture:
    """Files in a private temporary directory, until :meth:`remove`.

    Args:
        user: number of the user that the jailed processes will be; ``None``: the user who starts them.
    """

    NETWORK = Path("/run/snipbench")
    """Where the directory of the socket is in the jail."""

    SOCKET = "database"
    """Name of the socket in it."""

    def __init__(self, user: int | None) -> None:
        self.user = user
        # Not below a work directory: the path of a Unix socket may have no more than 107 bytes.
        self._directory = tempfile.TemporaryDirectory(prefix="snipbench-jail-", ignore_cleanup_errors=True)
        self._place = Path(self._directory.name)
        self.network = self._place / "network"
        """Directory of the socket out here. Others on this machine cannot get past the private directory around it."""
        self.network.mkdir()
        self.network.chmod(_MODE)
        number, group = (os.geteuid(), os.getegid()) if user is None else (user, user)
        self._write("passwd", f"snippet:x:{number}:{group}::/tmp:/bin/sh\n")
        self._write("group", f"snippet:x:{group}:\n")
        self._write("hosts", "127.0.0.1 localhost snippet\n::1 localhost\n")
        self._write("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")

    def etc(self) -> list[Path]:
        """Files to be seen in the jail's /etc."""
        return [self._place / name for name in ("passwd", "group", "hosts", "nsswitch.conf")]

    def remove(self) -> None:
        """Once no jail uses it. Twice is no error."""
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _write(self, name: str, text: str) -> None:
        path = self._place / name
        path.write_text(text)
        path.chmod(0o644)

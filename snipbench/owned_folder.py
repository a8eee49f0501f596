"""A folder that belongs to one living process at a time; the kernel tells when its owner has died."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class OwnedFolder:
    """Holds a lock on the folder itself, until :meth:`leave` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def make(cls, path: Path) -> OwnedFolder:
        """A folder of that name, made where it is missing.

        Raises:
            OSError: it cannot be made.
        """
        while True:
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Somebody may have taken the new folder for one that was left, found nothing in it and removed it.
            if _is_at(descriptor, path):
                return cls(path, descriptor)
            os.close(descriptor)

    @classmethod
    def claim(cls, path: Path) -> OwnedFolder | None:
        """A folder of that name, made where it is missing; ``None`` if somebody living has it.

        Raises:
            OSError: it cannot be made.
        """
        path.mkdir(parents=True, exist_ok=True)
        return cls.adopt(path)

    @classmethod
    def adopt(cls, path: Path) -> OwnedFolder | None:
        """The folder, if its owner has died; else ``None``."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return cls(path, descriptor)
        os.close(descriptor)
        return None

    def leave(self) -> None:
        """Give it up; it is removed if it is empty."""
        with suppress(OSError):  # not empty: the next owner finds it
            self.path.rmdir()
        os.close(self._descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

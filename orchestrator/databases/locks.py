"""File locks that the kernel lets go of when their holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold ``path`` alone, among threads and processes; waits as long as it takes. The file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def directories_lock(root: Path) -> AbstractContextManager[None]:
    """Hold it to give a directory an owner, to clear up after dead ones, or to remove a prototype. Not re-entrant."""
    return file_lock(root / "locks" / "directories.lock")

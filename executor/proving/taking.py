"""Takes what a session has written out of its reach: copied as bytes, whatever it may have put there."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

from executor.results.written import FRAME, VALUE

NAMES = re.compile(r"part-\d[\w.\-]*\.parquet|" + re.escape(FRAME) + "|" + re.escape(VALUE))
MAX_FILES = 10_000
MAX_BYTES = 8 * 2**30
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotTaken(Exception):
    """What is there is no result."""


def take(root: Path, parts: tuple[str, ...], into: Path) -> int:
    """Copy the files of a result from ``root / parts`` to the new directory ``into``. Bytes copied.

    ``root`` is a directory that we made, its content is not ours: no link is followed (it would be followed with our
    rights), only regular files are read, and no more than the limits above.

    Raises:
        NotTaken: there is no such directory, it holds no result, or more than any result would.
    """
    try:
        directory = _descend(root, parts)
    except OSError as error:
        raise NotTaken("nothing was written") from error
    try:
        names = sorted(name for name in os.listdir(directory) if NAMES.fullmatch(name))  # noqa: PTH208 - a descriptor
        if not names:
            raise NotTaken("nothing was written")
        if len(names) > MAX_FILES:
            raise NotTaken(f"{len(names)} files are more than the {MAX_FILES} that a result may have")
        into.mkdir(parents=True)
        copied = 0
        for name in names:
            copied += _copy(directory, name, into / name, MAX_BYTES - copied)
        return copied
    finally:
        os.close(directory)


def _descend(root: Path, parts: tuple[str, ...]) -> int:
    directory = os.open(root, _OPEN | os.O_DIRECTORY)
    for part in parts:
        try:
            below = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=directory)
        finally:
            os.close(directory)
        directory = below
    return directory


def _copy(directory: int, name: str, to: Path, most: int) -> int:
    try:
        source = os.open(name, _OPEN, dir_fd=directory)
    except OSError as error:
        raise NotTaken(f"{name} cannot be opened: {error}") from error
    with open(source, "rb") as file:  # noqa: PTH123 - a descriptor
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise NotTaken(f"{name} is no regular file")
        if status.st_size > most:
            raise NotTaken(f"more than the {MAX_BYTES:,} bytes that a result may have were written")
        with to.open("xb") as copy:
            shutil.copyfileobj(file, copy, 2**20)
    return status.st_size

"""Ways to copy a prototype's data directory."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.databases.account import Account
from snipbench.domain.order import CloneChoice
from snipbench.errors import DatabaseError

FICLONE = 0x40049409
"""``ioctl`` of Linux that makes one file share all extents of another."""
UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS})


class FileCopier(Protocol):
    """Copies the content of one file."""

    name: str

    def copy(self, source: Path, target: Path) -> None:
        """Make ``target``, which does not exist, hold what ``source`` holds. OSError if that fails."""
        ...


class CopyFiles:
    """Reads and writes every byte."""

    name = "copy"

    def copy(self, source: Path, target: Path) -> None:
        shutil.copyfile(source, target)


class ReflinkFiles:
    """Shares the extents until one side is written; XFS and Btrfs can."""

    name = "reflink"

    def copy(self, source: Path, target: Path) -> None:
        with source.open("rb") as reading, target.open("xb") as writing:
            fcntl.ioctl(writing.fileno(), FICLONE, reading.fileno())


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to copy and why it was taken."""

    copier: FileCopier
    reason: str


def choose(choice: CloneChoice, place: Path) -> Strategy:
    """The strategy for clones in the directory ``place``.

    Raises:
        DatabaseError: the order asks for what cannot be had here.
    """
    if choice is CloneChoice.OVERLAY:
        raise DatabaseError(
            "clone: overlay needs Docker (--databases docker); embedded databases know auto, reflink and copy"
        )
    if choice is CloneChoice.COPY:
        return Strategy(CopyFiles(), "the order asks for copy")
    refusal = reflink_refusal(place)
    if choice is CloneChoice.REFLINK:
        if refusal:
            raise DatabaseError(
                f"clone: reflink is not to be had: {refusal}; use auto or copy, or a home on XFS or Btrfs"
            )
        return Strategy(ReflinkFiles(), "the order asks for reflink")
    if refusal:
        return Strategy(CopyFiles(), f"auto: {refusal}")
    return Strategy(ReflinkFiles(), "auto: the file system of the home shares extents")


def reflink_refusal(place: Path) -> str | None:
    """Why files in ``place`` cannot share extents, found by trying; None if they can."""
    token = secrets.token_hex(4)
    source, target = place / f".reflink-{token}-a", place / f".reflink-{token}-b"
    try:
        source.write_bytes(b"\0" * 4096)
        ReflinkFiles().copy(source, target)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise DatabaseError(f"cannot write to {place}: {error}") from error
        return f"the file system of the home cannot share extents ({error.strerror})"
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    return None


def copy_tree(source: Path, target: Path, copier: FileCopier, account: Account) -> None:
    """Copy a data directory the way PostgreSQL wants it: directories 0700, files 0600, all owned by ``account``.

    Raises:
        DatabaseError: no space left, or the file system failed.
    """
    try:
        _copy_directory(source, target, copier, account)
    except OSError as error:
        raise DatabaseError(f"cannot copy {source} to {target}: {error}") from error


def _copy_directory(source: Path, target: Path, copier: FileCopier, account: Account) -> None:
    target.mkdir(mode=0o700)
    account.own(target)
    with os.scandir(source) as entries:
        for entry in entries:
            copied = target / entry.name
            if entry.is_dir():
                _copy_directory(Path(entry.path), copied, copier, account)
            else:
                copier.copy(Path(entry.path), copied)
                copied.chmod(0o600)
                account.own(copied)

"""Files that an order names: read below the order's folder, or from the contents sent along with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from snipbench.errors import UsageError

MAX_FILE_BYTES = 2**20


class Sources(Protocol):
    """Where the contents of named files come from."""

    @property
    def base(self) -> Path | None:
        """The order's folder; ``None`` for an order that came without one."""
        ...

    def read(self, name: str) -> str:
        """Text of the file ``name``, relative to the order.

        Raises:
            UsageError: it is not there, lies outside the order's folder, is too big or no UTF-8.
        """
        ...

    def check(self, name: str) -> None:
        """UsageError if the file ``name`` is not there; its size and content do not matter."""
        ...


class FolderSources:
    """Files below one folder, and nowhere else: no absolute path, no ``..``, no symbolic link that leads out."""

    def __init__(self, base: Path) -> None:
        self._base = base.resolve()

    @property
    def base(self) -> Path:
        return self._base

    def read(self, name: str) -> str:
        path = self._inside(name)
        try:
            with path.open("rb") as stream:
                raw = stream.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise UsageError(f"file {name!r} cannot be read: {error.strerror}") from error
        return _decode(name, raw)

    def check(self, name: str) -> None:
        self._inside(name)

    def _inside(self, name: str) -> Path:
        check_relative(name)
        try:
            path = (self._base / name).resolve()
            path.exists()
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a circle of symbolic links"
            raise UsageError(f"file {name!r} cannot be read: {reason}") from error
        if not path.is_relative_to(self._base):
            raise UsageError(f"file {name!r} leads out of the order's folder by a symbolic link")
        if path.is_dir():
            raise UsageError(f"{name!r} is a folder, not a file")
        if not path.exists():
            raise UsageError(f"file {name!r} is not there{self._nearest(name)}; paths are relative to the order file")
        if not path.is_file():
            raise UsageError(f"{name!r} is not a plain file")
        return path

    def _nearest(self, name: str) -> str:
        from orchestrator.orders.mistakes import nearest

        folder = (self._base / name).parent
        inside = folder.is_dir() and folder.resolve().is_relative_to(self._base)
        siblings = sorted(path.name for path in folder.iterdir()) if inside else []
        near = nearest(PurePosixPath(name).name, siblings)
        return f"; did you mean {str(PurePosixPath(name).with_name(near))!r}?" if near else ""


class InlinedSources:
    """Files that were sent along with the order, by the name the order gives them."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    @property
    def base(self) -> None:
        return None

    def read(self, name: str) -> str:
        check_relative(name)
        text = self._files.get(name)
        if text is None:
            raise UsageError(f"file {name!r} was not sent along with the order")
        if len(text.encode("utf-8", errors="replace")) > MAX_FILE_BYTES:
            raise UsageError(f"file {name!r} is larger than {MAX_FILE_BYTES} bytes")
        return text

    def check(self, name: str) -> None:
        self.read(name)


def check_relative(name: str) -> None:
    """Refuse a name that is not a plain path below the order.

    Raises:
        UsageError: says what is wrong with it.
    """
    path = PurePosixPath(name)
    if "\0" in name or "\\" in name:
        raise UsageError(f"file {name!r}: write a relative path with '/'")
    if path.is_absolute():
        raise UsageError(f"file {name!r} is an absolute path; paths are relative to the order file")
    if ".." in path.parts:
        raise UsageError(f"file {name!r} leads out of the order's folder; '..' is not allowed")


def _decode(name: str, raw: bytes) -> str:
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"file {name!r} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"file {name!r} is not UTF-8 (byte {error.start})") from error

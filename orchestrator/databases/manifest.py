"""What a prototype's files were when it was made: sizes, times and SHA-256 of each."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from snipbench.errors import DatabaseError
from snipbench.identity import content_hash

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. ``modified_ns`` serves the quick check only and is no part of the hash."""

    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Entries by path relative to the data directory, plus its empty directories, which PostgreSQL needs too."""

    files: Mapping[str, Entry]
    directories: tuple[str, ...]

    @property
    def manifest_hash(self) -> str:
        """Hash of paths, sizes and contents."""
        files = {path: [entry.size, entry.sha256] for path, entry in self.files.items()}
        return content_hash({"files": files, "directories": list(self.directories)})

    @property
    def bytes(self) -> int:
        """Sum of the files' sizes."""
        return sum(entry.size for entry in self.files.values())

    @staticmethod
    def of(directory: Path, *, sync: bool = False) -> Manifest:
        """Read every file below ``directory``; ``sync`` also makes each durable, for a directory just written."""
        files, directories = _tree(directory)

        def entry(path: str) -> Entry:
            with (directory / path).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                if sync:
                    os.fsync(stream.fileno())
                status = os.fstat(stream.fileno())
            return Entry(status.st_size, status.st_mtime_ns, digest)

        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            return Manifest(dict(zip(files, pool.map(entry, files), strict=True)), tuple(directories))

    def write(self, directory: Path) -> None:
        """Store as ``manifest.json`` in ``directory``."""
        files = {path: [entry.size, entry.modified_ns, entry.sha256] for path, entry in self.files.items()}
        (directory / MANIFEST_FILE).write_text(json.dumps({"files": files, "directories": list(self.directories)}))

    @staticmethod
    def read(directory: Path) -> Manifest:
        """Inverse of :meth:`write`.

        Raises:
            DatabaseError: it is not there or cannot be understood.
        """
        try:
            stored = json.loads((directory / MANIFEST_FILE).read_text())
            files = {path: Entry(*values) for path, values in stored["files"].items()}
            return Manifest(files, tuple(stored["directories"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatabaseError(f"the manifest of {directory} cannot be read: {error}") from error

    def quick_differences(self, directory: Path, *, times: bool = True) -> list[str]:
        """Missing and extra files and changed sizes and, unless told otherwise, times; reads no file."""
        found = _tree(directory)
        differences = list(_names(self, found))
        for path in sorted(self.files.keys() & set(found[0])):
            status = (directory / path).stat()
            if status.st_size != self.files[path].size:
                differences.append(f"{path}: {status.st_size} bytes instead of {self.files[path].size}")
            elif times and status.st_mtime_ns != self.files[path].modified_ns:
                differences.append(f"{path}: changed since it was made")
        return differences

    def differences(self, directory: Path) -> list[str]:
        """Missing and extra files and changed contents; reads everything."""
        now = Manifest.of(directory)
        changed = (
            f"{path}: content differs"
            for path in sorted(self.files.keys() & now.files.keys())
            if self.files[path].sha256 != now.files[path].sha256
        )
        return [*_names(self, (list(now.files), list(now.directories))), *changed]


def _tree(directory: Path) -> tuple[list[str], list[str]]:
    """Relative paths of all files and of all empty directories, sorted."""
    files: list[str] = []
    empty: list[str] = []
    for parent, children, names in os.walk(directory):
        relative = os.path.relpath(parent, directory)
        files += [os.path.normpath(os.path.join(relative, name)) for name in names]  # noqa: PTH118 - ten thousands
        if not children and not names:
            empty.append(relative)
    return sorted(files), sorted(empty)


def _names(manifest: Manifest, found: tuple[list[str], list[str]]) -> Iterator[str]:
    files, directories = set(found[0]), set(found[1])
    for path in sorted(manifest.files.keys() - files):
        yield f"{path}: missing"
    for path in sorted(files - manifest.files.keys()):
        yield f"{path}: not in the manifest"
    for path in sorted(set(manifest.directories) ^ directories):
        yield f"{path}/: an empty directory is {'missing' if path in manifest.directories else 'extra'}"

"""The jars Spark needs beyond its own: named by coordinates, pinned by SHA-256, cached, passed as files.

They are resolved once per machine, from the folder that the user names (``SNIPBENCH_JARS``); where none is named, by
Spark's own resolver, else by Maven. Every start verifies the cached files; none resolves anything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from orchestrator.jars import sources
from snipbench.errors import MachineError, SnipbenchError, UsageError


@dataclass(frozen=True, slots=True)
class Jar:
    """A jar of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """``group:artifact:version``."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """Name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def locked() -> tuple[Jar, ...]:
    """The jars of ``jars.lock``, in order."""
    lines = resources.files("orchestrator.jars").joinpath("jars.lock").read_text("utf-8").splitlines()
    jars = []
    for line in lines:
        if line and not line.startswith("#"):
            coordinate, digest = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, digest.removeprefix("sha256:")))
    return tuple(jars)


def cache_directory() -> Path:
    """Where verified jars are kept: ``$XDG_CACHE_HOME/snipbench/jars``, by default under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snipbench" / "jars"


def cached() -> tuple[Path, ...] | None:
    """Paths of all locked jars if every one is cached and unchanged, else ``None``. Resolves nothing."""
    paths = tuple(cache_directory() / jar.file_name for jar in locked())
    good = all(path.is_file() and _digest(path) == jar.sha256 for path, jar in zip(paths, locked(), strict=True))
    return paths if good else None


def ensure(say: Callable[[str], None] = lambda _: None) -> tuple[Path, ...]:
    """Paths of all locked jars, resolving what is not cached. ``say`` is told what is going on.

    Raises:
        UsageError: ``SNIPBENCH_JARS`` names no folder, or one that lacks a jar which is not cached.
        MachineError: no source has them, or what a source gave has another hash.
    """
    named = sources.named_folder()
    found = cached()
    if found is not None:
        return found
    jars = locked()
    failures = []
    for name, fetch in sources.available():
        say(f"resolving {len(jars)} jars from {name}")
        with tempfile.TemporaryDirectory(prefix="snipbench-jars-") as scratch:
            try:
                files = fetch([jar.coordinate for jar in jars], Path(scratch))
                _admit(jars, files, name)
            except sources.SourceFailed as failure:
                if named is not None:
                    raise UsageError(f"SNIPBENCH_JARS: {name} has {failure}, and it is not cached yet") from failure
                failures.append(f"{name}: {failure}")
                continue
        return tuple(cache_directory() / jar.file_name for jar in jars)
    wanted = ", ".join(jar.coordinate for jar in jars)
    raise MachineError(
        f"the jars {wanted} could not be had.\n"
        + "\n".join(failures)
        + "\nPut them in a folder and name it: SNIPBENCH_JARS=FOLDER"
    )


def _admit(jars: tuple[Jar, ...], files: dict[str, Path], source: str) -> None:
    """Verify all, then move all into the cache; a wrong hash admits none."""
    for jar in jars:
        digest = _digest(files[jar.coordinate])
        if digest != jar.sha256:
            raise MachineError(
                f"{jar.coordinate} from {source} has SHA-256 {digest}, the lock file says {jar.sha256}: refused"
            )
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    for jar in jars:
        partial = cache / f".{jar.file_name}.{os.getpid()}"
        shutil.copyfile(files[jar.coordinate], partial)
        partial.replace(cache / jar.file_name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    """Resolve on the command line: ``python -m orchestrator.jars``."""
    try:
        ensure(lambda text: print(text, file=sys.stderr))  # noqa: T201 - a command's output
    except SnipbenchError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return error.exit_code
    return 0

"""Class data archives of Spark's JVMs: what a JVM reads from class files at each start, as it stands in memory.

An archive belongs to an installation, since it is valid for one JVM and one class path only; the JVM itself checks
that, and goes on without where they differ. It saves about 40 % of a session's start and changes nothing that the
session computes (decision 0193).
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from snipbench.errors import MachineError

SECONDS = 300


def options(name: str) -> str:
    """What a JVM is started with to use the archive of that name, as Spark splits it; nothing where there is none."""
    path = location(name)
    if path is None or not path.is_file():
        return ""
    # Said by the JVM on standard output, which is a snippet's: that it goes on without.
    return f"{shlex.quote(f'-XX:SharedArchiveFile={path}')} -Xshare:auto -Xlog:cds=off"


def location(name: str) -> Path | None:
    """Where the archive of that name is, or would be, for the JVM that Spark starts here; ``None`` without a JVM."""
    java = _java()
    if java is None:
        return None
    facts = java.stat()
    key = hashlib.sha256(f"{java}:{facts.st_size}:{facts.st_mtime_ns}".encode()).hexdigest()[:12]
    return Path(sys.prefix) / "share" / "snipbench" / f"{name}-{key}.jsa"


def make(name: str, module: str, arguments: Sequence[str]) -> None:
    """Have an archive made, unless it is there.

    Args:
        name: of the archive.
        module: ``python -m MODULE FOLDER ARGUMENT...`` starts a JVM with :func:`recording`, and ends it.
        arguments: what follows the folder.

    Raises:
        MachineError: it could not be made; sessions then start without, only slower.
    """
    path = location(name)
    if path is None:
        raise MachineError("no java was found")
    if path.is_file():
        return
    folder = Path(mkdtemp(prefix="snipbench-classes-"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        environment = {key: text for key, text in os.environ.items() if key != "SPARK_SUBMIT_OPTS"}
        command = [sys.executable, "-m", module, str(folder), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        made = folder / "archive.jsa"
        if done.returncode != 0 or not made.is_file():
            raise MachineError(f"{name}: exit code {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
        partial = path.with_suffix(f".{os.getpid()}")
        shutil.copyfile(made, partial)
        partial.replace(path)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"{name}: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def recording(folder: Path) -> str:
    """What a JVM is started with to leave an archive at its end, as Spark splits it; a short life needs no second
    compiler."""
    return f"{shlex.quote(f'-XX:ArchiveClassesAtExit={folder}/archive.jsa')} -Xlog:cds=off -XX:TieredStopAtLevel=1"


def _java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    found: str | Path | None = Path(home) / "bin" / "java" if home else shutil.which("java")
    path = None if found is None else Path(found).resolve()
    return path if path is not None and path.is_file() else None

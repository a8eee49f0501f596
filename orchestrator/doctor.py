"""What this machine has and lacks for running orders, and what to do about each lack."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from orchestrator import jars
from snipbench.errors import MachineError

JDK_MAJORS = (17, 21)
JDK_REMEDY = f"install a JDK {JDK_MAJORS[0]} or {JDK_MAJORS[1]} and point JAVA_HOME at it"
NEEDED_MODULE = "jdk.incubator.vector"
PINNED = {"pyspark": "4.1.4", "delta-spark": "4.4.0"}
"""Versions that are proved together; others fail with NoClassDefFoundError, or hang (pyspark 4.2.0)."""
LEAST_MEMORY_BYTES = 4 * 1024**3
LEAST_DISK_BYTES = 5 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``blocks``: an order cannot run on this machine before the remedy is applied."""

    subject: str
    found: str
    remedy: str = ""
    blocks: bool = False

    @property
    def mark(self) -> str:
        """``ok``, ``--`` (something is missing that an order can do without) or ``!!`` (it blocks)."""
        return "!!" if self.blocks else "--" if self.remedy else "ok"

    def to_document(self) -> dict[str, Any]:
        """Plain dictionary of the fields."""
        return asdict(self)


def examine(home: Path) -> tuple[Finding, ...]:
    """All findings, in the order in which a person would mend them."""
    return (_python(), _jdk(), *_packages(), _jars(), _memory(), _disk(home), _docker(), _sandbox())


def _python() -> Finding:
    found = sys.version.split()[0]
    if sys.version_info[:2] in {(3, 11), (3, 12)}:
        return Finding("Python", found)
    return Finding("Python", found, "use Python 3.11 or 3.12", blocks=True)


def require_java() -> None:
    """Told before anything is made: without a ``java`` no session can start.

    Raises:
        MachineError: there is none where Spark looks for it.
    """
    java = _java()
    if java is None or not Path(java).exists():
        raise MachineError(f"no JDK: {_no_java(java)}. {JDK_REMEDY}; `snipbench doctor` checks the rest")


def _java() -> str | None:
    """The program that Spark starts: that of ``JAVA_HOME``, else the first on the path."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else shutil.which("java")


def _no_java(java: str | None) -> str:
    return "no `java` on the path and no JAVA_HOME" if java is None else f"JAVA_HOME has no {java}"


def _jdk() -> Finding:
    java, remedy = _java(), JDK_REMEDY
    if java is None or not Path(java).exists():
        return Finding("JDK", _no_java(java), remedy, blocks=True)
    told = _output([java, "-version"])
    modules = _output([java, "--list-modules"])
    if told is None or modules is None:
        return Finding("JDK", f"{java} does not run", remedy, blocks=True)
    version = re.search(r'version "(\d+)', told)
    name = next((line for line in told.splitlines() if " version " in line), told.strip())
    if version is None or int(version.group(1)) not in JDK_MAJORS:
        return Finding("JDK", name, remedy, blocks=True)
    if NEEDED_MODULE not in modules:
        return Finding("JDK", f"{name}, without the module {NEEDED_MODULE}", "install a complete JDK", blocks=True)
    return Finding("JDK", name)


def _packages() -> Iterator[Finding]:
    for name, wanted in PINNED.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name, "not installed", f"pip install {name}=={wanted}", blocks=True)
            continue
        right = found == wanted
        yield Finding(name, found, "" if right else f"pip install {name}=={wanted}", blocks=not right)


def _jars() -> Finding:
    names = ", ".join(jar.coordinate for jar in jars.locked())
    if jars.cached() is None:
        return Finding("jars", f"not cached: {names}", "run `python -m orchestrator.jars` once, with a network")
    return Finding("jars", f"{names}: verified")


def _memory() -> Finding:
    available = psutil.virtual_memory().available
    found = f"{available / 1024**3:.1f} GiB available"
    if available < LEAST_MEMORY_BYTES:
        return Finding("memory", found, f"free some: a session wants {LEAST_MEMORY_BYTES / 1024**3:.0f} GiB")
    return Finding("memory", found)


def _disk(home: Path) -> Finding:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding("disk", f"nothing can be written to {place}", "name another folder with --home", blocks=True)
    free = shutil.disk_usage(place).free
    found = f"{free / 1024**3:.1f} GiB free at {place}"
    if free < LEAST_DISK_BYTES:
        return Finding("disk", found, "free some, or name another folder with --home")
    return Finding("disk", found)


def _docker() -> Finding:
    client = shutil.which("docker")
    told = _output([client, "version", "--format", "{{.Server.Version}}"]) if client else None
    if told is None:
        return Finding("Docker", "no engine", "not needed embedded; start one for `--databases docker` and services")
    return Finding("Docker", f"engine {told.strip()}")


def _sandbox() -> Finding:
    from executor.jail import Jail

    lack = Jail.available()
    if lack is None:
        return Finding("sandbox", "bubblewrap works")
    return Finding("sandbox", lack, "install bubblewrap; without it nothing that an LLM wrote runs unless you consent")


def _output(command: list[str]) -> str | None:
    """What a command prints on either stream; ``None`` if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout + done.stderr

"""Clones in containers by strategy and size: until the first query, and what the first and the third scan cost."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.result import Goal, NotMeasured, Row
from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.port import Connection, Prototype
from snipbench.domain.order import CloneChoice, Database, Pgbench
from snipbench.errors import MachineError

SMALL_SCALE, BIG_SCALE = 1, 110
"""pgbench's: about 0.05 and 1.7 GB."""
IMAGE_BYTES = 16 << 30
"""Of the sparse file that holds the file system; about half of it is used for a moment."""
STRATEGIES = ("copy", "reflink", "overlay")
CLONES = 3
"""One after the other of each strategy and size; their median counts."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a clone: until its first small query, and for the first and third scan of its big table."""

    ready: float
    first: float
    third: float


def run() -> Sequence[Row]:
    """All strategies on one XFS file system, so that they differ in nothing else."""
    if os.geteuid() != 0 or shutil.which("mkfs.xfs") is None:
        raise NotMeasured("needs root and mkfs.xfs")
    with _xfs() as home:
        try:
            provider = DockerProvider(home)
        except MachineError as error:
            raise NotMeasured(str(error)) from error
        small, big = (_prototype(provider, scale) for scale in (SMALL_SCALE, BIG_SCALE))
        # The first overlay also pays for the trial whether they can be had.
        _time(provider, small, "overlay", SMALL_SCALE)
        little = _typical(provider, small, "overlay", SMALL_SCALE)
        timings = {name: _typical(provider, big, name, BIG_SCALE) for name in STRATEGIES}
        changed = len(provider.verify(big))
    return tuple(_rows(small, big, little, timings, changed))


def _rows(small: Prototype, big: Prototype, little: Timing, timings: dict[str, Timing], changed: int) -> Iterator[Row]:
    copy, overlay = timings["copy"], timings["overlay"]
    size = f"{big.bytes / 1e9:.1f} GB"
    for name, timing in timings.items():
        yield Row(f"{name}: clone of {size} to first query", timing.ready, "s")
        yield Row(f"{name}: first scan of its big table", timing.first, "s")
        yield Row(f"{name}: third scan", timing.third, "s")
    yield Row("copy over overlay, clone to first query", copy.ready / overlay.ready, "×", Goal(at_least=5.0))
    yield Row(
        f"overlay: {size} over {small.bytes / 1e9:.2f} GB, clone to first query",
        overlay.ready / little.ready,
        "×",
        Goal(at_most=2.0),
    )
    for name in ("overlay", "reflink"):
        ratio = timings[name].third / copy.third
        yield Row(f"{name} over copy, third scan", ratio, "×", Goal(at_most=1.2))
    yield Row("files of the prototype that differ afterwards", changed, "", Goal(at_most=0))


def _database(scale: float, strategy: str) -> Database:
    return Database(name="bench", dataset=Pgbench(generator="pgbench", scale=scale), clone=CloneChoice(strategy))


def _prototype(provider: DockerProvider, scale: float) -> Prototype:
    return provider.prepare(_database(scale, "auto"), Path())


def _typical(provider: DockerProvider, prototype: Prototype, strategy: str, scale: float) -> Timing:
    """The medians of some clones, each of them for itself."""
    timings = [_time(provider, prototype, strategy, scale) for _ in range(CLONES)]
    return Timing(*(median(getattr(timing, part) for timing in timings) for part in ("ready", "first", "third")))


def _time(provider: DockerProvider, prototype: Prototype, strategy: str, scale: float) -> Timing:
    os.sync()
    begun = time.perf_counter()
    clone = provider.clone(prototype, _database(scale, strategy), owner="benchmark", tables=["pgbench_branches"])
    try:
        _ask(clone.run, "SELECT count(*) FROM pgbench_branches")
        ready = time.perf_counter() - begun
        scans = [_ask(clone.run, "SELECT sum(abalance) FROM pgbench_accounts") for _ in range(3)]
    finally:
        provider.release(clone.clone_id)
    return Timing(ready, scans[0], scans[2])


def _ask(connection: Connection, query: str) -> float:
    """Seconds that a query takes."""
    import psycopg

    with psycopg.connect(**connection.parameters) as session:
        begun = time.perf_counter()
        session.execute(query.encode()).fetchall()
        return time.perf_counter() - begun


@contextmanager
def _xfs() -> Iterator[Path]:
    """A home on a file system in a sparse file, where files can share extents."""
    with tempfile.TemporaryDirectory() as folder:
        image, point = Path(folder, "image"), Path(folder, "home")
        point.mkdir()
        with image.open("wb") as stream:
            stream.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.xfs", "-q", str(image)], check=True)
        mounted = subprocess.run(
            ["mount", "-o", "loop", str(image), str(point)], capture_output=True, text=True, check=False
        )
        if mounted.returncode != 0:
            raise NotMeasured(f"cannot mount: {mounted.stderr.strip()}")
        try:
            yield point
        finally:
            subprocess.run(["umount", str(point)], check=True)

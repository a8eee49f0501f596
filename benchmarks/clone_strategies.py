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
from typing import NamedTuple

from benchmarks.result import Goal, NotMeasured, Row
from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.port import Connection, Prototype
from snipbench.domain.order import CloneChoice, Database, Pgbench
from snipbench.errors import MachineError

SMALL_SCALE, BIG_SCALE, BIGGEST_SCALE = 1, 110, 240
"""pgbench's: about 0.08, 1.9 and 4 GB."""
IMAGE_BYTES = 24 << 30
"""Of the sparse file that holds the file system; about half of it is used for a moment."""
STRATEGIES = ("copy", "reflink", "overlay")
AGAINST = ("copy", "overlay")
OTHERS = ((BIG_SCALE, True), (BIGGEST_SCALE, False))
"""Scales at which those two are timed besides, and whether cold."""
ROUNDS = 5
"""In which all strategies and sizes take turns, so that a drift of the machine meets all alike; the medians count."""


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
    with _xfs() as (image, home):
        try:
            bench = Bench(DockerProvider(home), image)
        except MachineError as error:
            raise NotMeasured(str(error)) from error
        prototypes = {scale: bench.prototype(scale) for scale in (SMALL_SCALE, BIG_SCALE, BIGGEST_SCALE)}
        # The first overlay also pays for the trial whether they can be had.
        bench.time(prototypes[SMALL_SCALE], "overlay")
        cases = [
            Case(SMALL_SCALE, "overlay"),
            *(Case(BIG_SCALE, name) for name in STRATEGIES),
            *(Case(scale, name, cold) for scale, cold in OTHERS for name in AGAINST),
        ]
        clones: dict[Case, list[Timing]] = {case: [] for case in cases}
        for _ in range(ROUNDS):
            for case in cases:
                clones[case].append(bench.time(prototypes[case.scale], case.strategy, cold=case.cold))
        changed = sum(len(bench.provider.verify(prototype)) for prototype in prototypes.values())
    timings = {case: _typical(each) for case, each in clones.items()}
    sizes = {scale: _gigabytes(prototype.bytes) for scale, prototype in prototypes.items()}
    return tuple(_rows(sizes, timings, changed))


def _rows(sizes: dict[int, str], timings: dict[Case, Timing], changed: int) -> Iterator[Row]:
    size = sizes[BIG_SCALE]
    for name in STRATEGIES:
        timing = timings[Case(BIG_SCALE, name)]
        yield Row(f"{name}: clone of {size} to first query", timing.ready, "s")
        yield Row(f"{name}: first scan of its big table", timing.first, "s")
        yield Row(f"{name}: third scan", timing.third, "s")
    copy, overlay = (timings[Case(BIG_SCALE, name)] for name in AGAINST)
    yield _faster(f"{size} in memory", copy, overlay)
    for scale, cold in OTHERS:
        what = f"{sizes[scale]} {'on disk only' if cold else 'in memory'}"
        pair = [timings[Case(scale, name, cold)] for name in AGAINST]
        for name, timing in zip(AGAINST, pair, strict=True):
            yield Row(f"{name}: clone of {what} to first query", timing.ready, "s")
        yield _faster(what, *pair)
    yield Row(
        f"overlay: {size} over {sizes[SMALL_SCALE]}, clone to first query",
        overlay.ready / timings[Case(SMALL_SCALE, "overlay")].ready,
        "×",
        Goal(at_most=2.0),
    )
    for name in ("overlay", "reflink"):
        ratio = timings[Case(BIG_SCALE, name)].third / copy.third
        yield Row(f"{name} over copy, third scan", ratio, "×", Goal(at_most=1.2))
    yield Row("files of the prototypes that differ afterwards", changed, "", Goal(at_most=0))


def _faster(what: str, copy: Timing, overlay: Timing) -> Row:
    return Row(f"copy over overlay, {what}, clone to first query", copy.ready / overlay.ready, "×", Goal(at_least=5.0))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.{1 if size > 1e9 else 2}f} GB"


def _typical(clones: Sequence[Timing]) -> Timing:
    """The medians of some clones, each of them for itself."""
    return Timing(*(median(getattr(clone, part) for clone in clones) for part in ("ready", "first", "third")))


class Case(NamedTuple):
    """What is timed: a clone of a prototype; ``cold``: nothing of it is in the machine's memory before, else all."""

    scale: int
    strategy: str
    cold: bool = False


@dataclass(frozen=True, slots=True)
class Bench:
    """Where clones are made. ``image`` holds the file system."""

    provider: DockerProvider
    image: Path

    def prototype(self, scale: float) -> Prototype:
        """One of pgbench's."""
        return self.provider.prepare(_database(scale, "auto"), Path())

    def time(self, prototype: Prototype, strategy: str, *, cold: bool = False) -> Timing:
        """Make a clone, read it, release it."""
        os.sync()
        files = [file for file in prototype.directory.rglob("*") if file.is_file()]
        put, files = (_forget, [*files, self.image]) if cold else (_recall, files)
        for file in files:
            put(file)
        begun = time.perf_counter()
        database = _database(SMALL_SCALE, strategy)
        clone = self.provider.clone(prototype, database, owner="benchmark", tables=["pgbench_branches"])
        try:
            _ask(clone.run, "SELECT count(*) FROM pgbench_branches")
            ready = time.perf_counter() - begun
            scans = [_ask(clone.run, "SELECT sum(abalance) FROM pgbench_accounts") for _ in range(3)]
        finally:
            self.provider.release(clone.clone_id)
        return Timing(ready, scans[0], scans[2])


def _database(scale: float, strategy: str) -> Database:
    return Database(name="bench", dataset=Pgbench(generator="pgbench", scale=scale), clone=CloneChoice(strategy))


def _forget(file: Path) -> None:
    """Have the kernel keep nothing of a file in memory."""
    with file.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _recall(file: Path) -> None:
    """Have it all in memory."""
    with file.open("rb", buffering=0) as stream:
        while stream.read(1 << 20):
            pass


def _ask(connection: Connection, query: str) -> float:
    """Seconds that a query takes."""
    import psycopg

    with psycopg.connect(**connection.parameters) as session:
        begun = time.perf_counter()
        session.execute(query.encode()).fetchall()
        return time.perf_counter() - begun


@contextmanager
def _xfs() -> Iterator[tuple[Path, Path]]:
    """A sparse file and a home on the file system in it, where files can share extents."""
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
            yield image, point
        finally:
            subprocess.run(["umount", str(point)], check=True)

"""The quickstart's runs, each once, on this machine and on the Spark cluster of compose.yaml's profile: what differs?

Takes some three minutes on two cores.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.composed import QUICKSTART, called, composed, hashes, needs_images, snipbench
from benchmarks.result import Goal, Row

ALL = Goal(at_least=1)
NONE = Goal(at_most=0)
MASTER = "spark://spark-master:7077"
ONCE = ("--warmups", 0, "--repetitions", 1, "--json")
WORKERS = 2


def run() -> Sequence[Row]:
    """First alone, then on the cluster; nothing else runs meanwhile."""
    needs_images()
    with TemporaryDirectory(prefix="snipbench-cluster-") as name:
        folder = Path(name)
        here, there = (_order(folder / place, master) for place, master in (("here", "local[*]"), ("there", MASTER)))
        variables = {"SNIPBENCH_MACHINE_LOCK": str(folder / "lock")}
        alone = _outcome(called(snipbench("run", here, *ONCE, "--home", folder / "home"), variables))
        began = time.monotonic()
        extra = {"COMPOSE_PROFILES": "cluster", "SNIPBENCH_SPARK_WORKERS": str(WORKERS)}
        with composed(folder, extra) as stack:
            up_seconds = time.monotonic() - began
            began = time.monotonic()
            done = stack.snipbench("submit", there, *ONCE, "--wait")
            seconds = time.monotonic() - began
            if done.returncode != 0:
                raise RuntimeError(f"on the cluster: {done.stdout[-4000:]}\n{done.stderr[-4000:]}\n{stack.logs()}")
            clustered = json.loads(done.stdout)
            stack.down()
            left = stack.left()
    local, found = hashes(alone), hashes(clustered)
    equal = [key for key, value in local.items() if value is not None and found.get(key) == value]
    snippets = [snippet for experiment in clustered["experiments"] for snippet in experiment["snippets"]]
    figures = [(snippet["cpu_seconds"]["executor"]["median"], snippet["memory_peak_bytes"]) for snippet in snippets]
    partial = [found for found in figures if found != (None, None)]
    note = f"{len(equal)} of {len(local | found)}"
    return (
        Row("share of result hashes equal to those of this machine", len(equal) / len(local | found), "", ALL, note),
        Row("runs that failed on the cluster", sum(snippet["failed"] for snippet in snippets), "", NONE),
        Row("snippets with a figure of CPU or memory of executors, which nobody reads", len(partial), "", NONE),
        Row("containers, volumes, networks left after `make down`", len(left), "", NONE),
        Row("from submission to report", seconds, "s", note=f"`make up` with {WORKERS} workers {up_seconds:.0f} s"),
    )


def _order(folder: Path, master: str) -> Path:
    """The quickstart for a master, without its analyses."""
    text, found, _ = QUICKSTART.read_text("utf-8").partition("\nanalyses:")
    changed = text.replace("master: local[*]", f"master: {master}")
    if not found or f"master: {master}" not in changed:
        raise RuntimeError("the quickstart has no longer the lines that are changed here")
    shutil.copytree(QUICKSTART.parent / "snippets", folder / "snippets")
    path = folder / QUICKSTART.name
    path.write_text(changed, "utf-8")
    return path


def _outcome(done: Any) -> dict[str, Any]:
    if done.returncode != 0:
        raise RuntimeError(f"on this machine: {done.stderr[-4000:]}")
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome

"""The table on the terminal, and the pages where each measurement keeps the section of its last run."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.result import Row
from snipbench import __version__


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown file of sections below a head."""

    path: Path
    head: str


RESULTS = Page(
    Path(__file__).parent / "RESULTS.md",
    """# Benchmarks of snipbench itself

Written by `make bench` (`python -m benchmarks [NAME...]`); each section stands as of its own last run. Times of one
machine are only good as ratios.
""",
)
PROVED = Page(
    Path(__file__).parent / "PROOFS.md",
    """# Long proofs

Written by `make prove` (`python -m benchmarks.prove [NAME...]`); each section stands as of its own last run.
""",
)


def table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table."""
    lines = ["| what | measured | unit | goal | met? | note |", "|---|---|---|---|---|---|"]
    for row in rows:
        value = "" if row.value is None else f"{row.value:.4g}"
        cells = (row.what, value, row.unit, str(row.goal or ""), row.verdict, row.note)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines)


def section(title: str, rows: Sequence[Row]) -> str:
    """One benchmark's section: when and where, and its table."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"## {title}\n\n{now}; {machine()}\n\n{table(rows)}\n"


def write(sections: Mapping[str, str], order: Sequence[str], page: Page) -> None:
    """Put ``sections`` (by title) into the page; those of benchmarks that did not run now stay.

    ``order`` lists the titles in the order of the page; sections of titles that it does not have are dropped.
    """
    kept = {}
    if page.path.exists():
        for part in page.path.read_text(encoding="utf-8").split("\n## ")[1:]:
            kept[part.split("\n", 1)[0]] = "## " + part.rstrip("\n") + "\n"
    kept |= sections
    page.path.write_text("\n".join([page.head, *(kept[title] for title in order if title in kept)]), encoding="utf-8")


def machine() -> str:
    """The facts that a reader needs to weigh the figures."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{_cpu_model()}, {len(os.sched_getaffinity(0))} CPUs, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, snipbench {__version__}"
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

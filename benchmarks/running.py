"""Runs measurements by name, prints their tables, keeps them on their page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import report
from benchmarks.registry import Benchmark
from benchmarks.report import Page


def run(prog: str, description: str, measurements: Sequence[Benchmark], page: Page) -> int:
    """Exit code 1 when a measurement broke; a goal that is not met is a result."""
    names = [measurement.name for measurement in measurements]
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(names)} (default: all)")
    wanted = parser.parse_args().names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    sound = True
    for measurement in measurements:
        if wanted and measurement.name not in wanted:
            continue
        title = measurement.title
        print(f"{measurement.name}: {title} ...", file=sys.stderr, flush=True)
        rows, well = measurement.run()
        sound = sound and well
        print(f"{report.table(rows)}\n", flush=True)
        report.write({title: report.section(title, rows)}, [each.title for each in measurements], page)
    return 0 if sound else 1

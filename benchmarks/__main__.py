"""``python -m benchmarks [NAME...]``: run all benchmarks or those named, print tables, keep them in RESULTS.md."""

from __future__ import annotations

import argparse
import sys

from benchmarks import report
from benchmarks.registry import BENCHMARKS


def main() -> int:
    """Exit code 1 when a benchmark broke; a goal that is not met is a result."""
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Our own speed, against goals and peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(names)} (default: all)")
    wanted = parser.parse_args().names
    if unknown := set(wanted) - set(names):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    sound = True
    for benchmark in BENCHMARKS:
        if wanted and benchmark.name not in wanted:
            continue
        print(f"{benchmark.name}: {benchmark.title} ...", file=sys.stderr, flush=True)
        rows, well = benchmark.run()
        sound = sound and well
        print(f"{report.table(rows)}\n", flush=True)
        title = benchmark.title
        report.write({title: report.section(title, rows)}, [each.title for each in BENCHMARKS])
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks [NAME...]``: run all benchmarks or those named, print tables, keep them in RESULTS.md."""

from __future__ import annotations

import sys

from benchmarks import running
from benchmarks.registry import BENCHMARKS
from benchmarks.report import RESULTS

if __name__ == "__main__":
    sys.exit(running.run("python -m benchmarks", "Our own speed, against goals and peers.", BENCHMARKS, RESULTS))

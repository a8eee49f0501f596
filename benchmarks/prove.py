"""``python -m benchmarks.prove [NAME...]``: the long proofs; their dated tables are kept in PROOFS.md."""

from __future__ import annotations

import sys

from benchmarks import running
from benchmarks.registry import PROOFS
from benchmarks.report import PROVED

if __name__ == "__main__":
    sys.exit(running.run("python -m benchmarks.prove", "Long proofs of what we claim.", PROOFS, PROVED))

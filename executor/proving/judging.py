"""``python -m executor.proving.judging``: the judge's process. It reads what was written, and runs nobody's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from executor.channel import serve
from executor.results.judging import same_written


def judge(body: dict[str, Any]) -> Mapping[str, object]:
    """``Comparison`` of ``body["candidate"]`` with ``body["baseline"]``, directories, as plain values."""
    found = same_written(
        Path(body["baseline"]),
        Path(body["candidate"]),
        float_tolerance=body["float_tolerance"],
        sort_keys=body["sort_keys"],
    )
    return asdict(found)


if __name__ == "__main__":
    serve({"judge": judge})

"""The landing process: ``python -m analyzer.landing --request FILE``."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from analyzer.landing.session import delta_session
from analyzer.landing.staging import stage_task
from analyzer.landing.writer import write_all
from snipbench.errors import SnipbenchError
from snipbench.store.opening import open_store

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Land what the request asks for and write the answer beside it."""
    parser = argparse.ArgumentParser(prog="python -m analyzer.landing")
    parser.add_argument("--request", type=Path, required=True, help="JSON file that analyzer.landing.land wrote")
    request = json.loads(parser.parse_args().request.read_text(encoding="utf-8"))
    _end_with(request["parent"])
    try:
        answer = _land(request)
    except SnipbenchError as error:
        answer = {"error": str(error)}
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _end_with(parent: int) -> None:
    """Die when the parent does; its JVM then sees the end of its standard input and leaves too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that asked for this landing is gone")


def _land(request: dict[str, Any]) -> dict[str, Any]:
    lake, task_id = Path(request["lake"]), str(request["task_id"])
    lake.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request["scratch"]) as scratch:
        began = time.perf_counter()
        store = open_store(request["store"])
        try:
            extra = {name: Path(path) for name, path in request["extra"].items()}
            staging = Path(scratch) / "staging"
            staging.mkdir()
            staged = stage_task(store, task_id, staging, extra)
        finally:
            store.close()
        staged_at = time.perf_counter()
        jars = [Path(jar) for jar in request["jars"]]
        with delta_session(jars, Path(scratch), rows=sum(found.rows for found in staged)) as spark:
            session_at = time.perf_counter()
            write_all(spark, lake, task_id, staged)
            written_at = time.perf_counter()
    return {
        "task_id": task_id,
        "tables": {found.table: found.rows for found in staged if found.rows},
        "staging_seconds": staged_at - began,
        "session_seconds": session_at - staged_at,
        "writing_seconds": written_at - session_at,
    }


if __name__ == "__main__":
    sys.exit(main())

"""Landing: a task's rows from the document store into the lake's Delta tables.

:func:`land` starts a process of its own, with a JVM of its own, so that it neither warms nor competes with a measured
session. Landing is idempotent: a task's rows are replaced as one, table by table; after a crash between two tables
landing again completes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snipbench.errors import LakeError

_DROPPED_VARIABLES = ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT")
"""Of another Spark on the machine; they would mix it with ours."""
_TAIL_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class LandingReport:
    """What was landed. ``tables`` gives the rows of each table that the task has rows in."""

    task_id: str
    tables: Mapping[str, int]
    seconds: float
    staging_seconds: float
    session_seconds: float
    writing_seconds: float

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(self.tables.values())


def land(
    store: Path | str,
    lake: Path,
    task_id: str,
    jars: Sequence[Path],
    *,
    extra: Mapping[str, Path] | None = None,
) -> LandingReport:
    """Land a task; blocks until it is done.

    Args:
        store: address of the document store, as :func:`snipbench.store.opening.open_store` takes it.
        lake: folder of the tables; made when missing.
        task_id: task to land.
        jars: Delta's jars.
        extra: Parquet files of tables that are not made from the store's documents.

    Raises:
        LakeError: it failed; the message says why, or else has the end of what the process said.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="snipbench-landing-") as scratch:
        request = Path(scratch) / "request.json"
        answer = Path(scratch) / "answer.json"
        log = Path(scratch) / "log.txt"
        request.write_text(
            json.dumps(
                {
                    "store": str(store),
                    "lake": str(lake.resolve()),
                    "task_id": task_id,
                    "jars": [str(jar) for jar in jars],
                    "extra": {name: str(path) for name, path in (extra or {}).items()},
                    "scratch": scratch,
                    "answer": str(answer),
                    "parent": os.getpid(),
                }
            ),
            encoding="utf-8",
        )
        code = _run_child(request, log)
        if code != 0 or not answer.is_file():
            said = log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:].strip()
            raise LakeError(f"landing of {task_id} ended with code {code}\n{said}")
        found = json.loads(answer.read_text(encoding="utf-8"))
        if "error" in found:
            raise LakeError(f"landing of {task_id} failed: {found['error']}")
    return LandingReport(**found, seconds=time.perf_counter() - started)


def _run_child(request: Path, log: Path) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED_VARIABLES}
    environment |= {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    # The child finds our packages where this process found them, installed or not.
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "analyzer.landing", "--request", str(request)]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            return child.wait()
        finally:
            # Interrupted: its JVM is in the same process group. Finished: there is nobody left in it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

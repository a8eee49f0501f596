"""What handing work to services costs a run: the same order embedded, and through API, Redis and four workers.

Between two measured runs of a session lie recording the first and asking for the second. Embedded that is SQLite and a
pipe; as services a store behind a network protocol, a lease that is looked at, and events that others follow.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.result import NotMeasured, Row
from benchmarks.served import Served
from snipbench.clock import from_text
from snipbench.store.port import DocumentStore
from snipbench.store.sqlite import SqliteStore

REPETITIONS = 40
SETTLE_SECONDS = 300.0
ORDER = f"""\
name: dispatch
seed: 1
spark: {{master: "local[2]", conf: {{spark.sql.shuffle.partitions: 2}}}}
databases:
  shop: {{dataset: {{generator: tpch, scale: 0.005}}}}
experiments:
  - name: small
    database: shop
    tables: [orders]
    warmups: 3
    repetitions: {REPETITIONS}
    snippets:
      - {{name: sums, kind: sql, code: select sum(o_totalprice) as total from orders}}
"""


def run() -> Sequence[Row]:
    """Gaps between runs and the way to the first run, embedded and as services."""
    with TemporaryDirectory(prefix="snipbench-dispatch-") as folder:
        embedded = _embedded(Path(folder) / "embedded")
        services = _services(Path(folder) / "services")
    return tuple(_rows(embedded, services))


def _rows(embedded: tuple[list[float], float], services: tuple[list[float], float]) -> Iterator[Row]:
    for name, (gaps, first) in (("embedded", embedded), ("services", services)):
        quartiles = statistics.quantiles(gaps, n=4)
        note = f"median of {len(gaps)}, quartiles {quartiles[0]:.4f} to {quartiles[2]:.4f}"
        yield Row(f"{name}: between two runs", statistics.median(gaps), "s", note=note)
        yield Row(f"{name}: from submission to the first measured run", first, "s", note="prototype and session made")
    cost = statistics.median(services[0]) - statistics.median(embedded[0])
    yield Row("dispatch to services, per run", cost, "s")


def _embedded(home: Path) -> tuple[list[float], float]:
    home.mkdir()
    order = home / "order.yaml"
    order.write_text(ORDER, "utf-8")
    command = [sys.executable, "-m", "orchestrator", "run", str(order), "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotMeasured(f"the embedded order failed: {done.stderr[-300:]}")
    with closing(SqliteStore(home / "store.sqlite")) as store:
        return _times(store, json.loads(done.stdout)["task_id"])


def _services(folder: Path) -> tuple[list[float], float]:
    folder.mkdir()
    with ExitStack() as stack:
        served = Served(folder, stack)
        task_id = served.submit(ORDER)
        deadline = time.monotonic() + SETTLE_SECONDS
        while not (served.store.get("tasks", task_id) or {}).get("settled"):
            if time.monotonic() > deadline:
                raise NotMeasured(f"the services did not end the order in {SETTLE_SECONDS:.0f} s")
            time.sleep(1)
        return _times(served.store, task_id)


def _times(store: DocumentStore, task_id: str) -> tuple[list[float], float]:
    """Seconds between the end of a measured run and the start of the next; from submission to the first."""
    task = store.get("tasks", task_id) or {}
    found = store.find("runs", {"task_id": task_id, "phase": "measured", "status": "ok"}, order_by=("started_at",))
    runs = [(from_text(one["started_at"]), from_text(one["ended_at"])) for one in found]
    if len(runs) != REPETITIONS:
        raise NotMeasured(f"{len(runs)} of {REPETITIONS} runs were measured")
    gaps = [(later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(runs)]
    return gaps, (runs[0][0] - from_text(task["requested_at"])).total_seconds()

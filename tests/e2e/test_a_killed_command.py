"""SIGKILL in the middle of a measured run: nothing stays behind, and the next command goes on."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pytest

from snipbench.store.sqlite import SqliteStore
from tests.waiting import left

from .conftest import command_line, environment, json_of, run_command

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(1800)]

ORDER = """\
name: killed
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 2, spark.sql.codegen.wholeStage: false}}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: slow
    database: shop
    tables: [orders]
    warmups: 1
    repetitions: 9
    snippets:
      - name: sleeping
        kind: function
        code: |
          import time

          def run():
              time.sleep(0.4)
              return 1
      - name: counting
        kind: sql
        variant_of: sleeping
        code: select count(*) from orders
"""


def wait_for_measured_runs(store_file: Path, count: int) -> str:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if store_file.is_file():
            store = SqliteStore(store_file)
            newest = next(store.find("tasks", {"order_name": "killed"}, order_by=("-requested_at",), limit=1), None)
            done = newest and store.count("runs", {"task_id": newest["_id"], "phase": "measured"})
            store.close()
            if done and done >= count:
                return str(newest["_id"])
        time.sleep(0.05)
    raise AssertionError("no measured run was recorded")


def test_nothing_is_left_and_retry_records_every_slot_once(home: Path, tmp_path: Path) -> None:
    order = tmp_path / "killed.yaml"
    order.write_text(ORDER, "utf-8")
    log = (tmp_path / "log").open("w")
    command = subprocess.Popen(command_line("run", order, "--home", home), env=environment(), stdout=log, stderr=log)
    task_id = wait_for_measured_runs(home / "store.sqlite", 3)
    family = psutil.Process(command.pid).children(recursive=True)
    assert any("postgres" in process.name() for process in family)
    assert any("java" in process.name() for process in family)
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert left(family, 60) == []
    sessions_of_spark = home / "work" / "sessions"
    assert len(list(sessions_of_spark.iterdir())) == 1

    done = run_command("retry", task_id, "--home", home, "--json")
    outcome = json_of(done)
    assert done.returncode == 0, done.stderr
    assert outcome["status"] == "completed"

    store = SqliteStore(home / "store.sqlite")
    plan = store.get("plans", task_id)
    runs = list(store.find("runs", {"task_id": task_id}))
    attempts = list(store.find("attempts", {"task_id": task_id}))
    clones = list((home / "databases" / "clones").iterdir())
    store.close()
    assert plan is not None
    assert sorted(run["slot_id"] for run in runs) == sorted(slot["slot_id"] for slot in plan["slots"])
    sessions = defaultdict(set)
    for run in runs:
        if run["block"] is not None:
            sessions[run["block"]].add(run["session_id"])
    assert all(len(found) == 1 for found in sessions.values())
    assert len(set().union(*sessions.values())) == 2
    repeated = [attempt for attempt in attempts if attempt["reason"] == "repeated_warmup"]
    assert sorted(run["snippet"] for run in repeated) == ["counting", "sleeping"]
    assert all(run["slot_id"] is None for run in repeated)
    assert clones == []
    assert list(sessions_of_spark.iterdir()) == []

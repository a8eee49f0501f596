"""Snippets that misbehave are recorded for what they are, and the order goes on beside them, in a new session where one
cost it. Every way to misbehave is in tests/integration/executor/test_ways_to_misbehave.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snipbench.domain.event import ENVIRONMENT_DIFFERS
from snipbench.store.sqlite import SqliteStore

from .conftest import json_of, run_command

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(1800)]

ORDER = """\
name: unruly
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 2, spark.sql.codegen.wholeStage: false}}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}}
experiments:
  - name: unruly
    database: shop
    tables: [orders]
    warmups: 0
    repetitions: 1
    timeout: 3s
    snippets:
      - {name: control, kind: sql, code: "select o_orderstatus, count(*) from orders group by o_orderstatus"}
      - name: raises
        kind: dataframe
        code: |
          def run(spark):
              raise ValueError("on purpose")
      - name: sleeps
        kind: function
        code: |
          import signal
          import time

          def run():
              signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
              time.sleep(3600)
      - name: nulls
        kind: python_udf
        input: select cast(o_totalprice as decimal(18, 2)) as price from orders
        returns: double
        code: |
          def run(price):
              return price
      - name: nothing
        kind: dataframe
        code: |
          def run(spark):
              spark.table("orders")
"""


@pytest.fixture(scope="module")
def outcome(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    order = tmp_path_factory.mktemp("unruly") / "unruly.yaml"
    order.write_text(ORDER, "utf-8")
    # The snippet that cannot be interrupted costs this long twice, for nothing that is shown here.
    done = run_command("run", order, "--home", home, "--json", SNIPBENCH_RESULT_GRACE_SECONDS="12")
    found = json_of(done)
    assert done.returncode == 1, done.stderr
    return found


def runs_of(outcome: dict[str, Any], home: Path, snippet: str) -> list[dict[str, Any]]:
    store = SqliteStore(home / "store.sqlite")
    found = list(store.find("runs", {"task_id": outcome["task_id"], "snippet": snippet}))
    store.close()
    return found


def test_the_order_is_partly_failed_and_every_slot_is_recorded(outcome: dict[str, Any], home: Path) -> None:
    assert outcome["status"] == "partly_failed"
    for snippet in ("control", "raises", "sleeps", "nulls", "nulls.input", "nothing"):
        assert len(runs_of(outcome, home, snippet)) == 1


def test_the_control_ends_well_with_an_unchanged_hash(outcome: dict[str, Any], home: Path) -> None:
    runs = runs_of(outcome, home, "control")
    assert [run["status"] for run in runs] == ["ok"]
    store = SqliteStore(home / "store.sqlite")
    (result,) = store.find("results", {"task_id": outcome["task_id"], "snippet": "control"})
    store.close()
    assert result["changed_hashes"] == []


@pytest.mark.parametrize(
    ("snippet", "kinds"),
    [
        ("raises", {"ValueError"}),
        ("nulls", {"AllNull"}),
        ("sleeps", {"Timeout", "SessionLost", "Quarantined"}),
    ],
)
def test_each_failure_says_what_it_was(outcome: dict[str, Any], home: Path, snippet: str, kinds: set[str]) -> None:
    runs = runs_of(outcome, home, snippet)
    assert all(run["status"] != "ok" for run in runs)
    assert {run["failure"]["kind"] for run in runs} <= kinds


def test_returning_nothing_is_said(outcome: dict[str, Any], home: Path) -> None:
    (first,) = runs_of(outcome, home, "nothing")
    assert first["status"] == "failed"
    assert "None" in first["failure"]["message"]


def test_sessions_that_follow_a_lost_one_run_on_the_same(outcome: dict[str, Any], home: Path) -> None:
    store = SqliteStore(home / "store.sqlite")
    told = list(store.find("events", {"task_id": outcome["task_id"], "name": ENVIRONMENT_DIFFERS}))
    store.close()
    assert [event["text"] for event in told] == []

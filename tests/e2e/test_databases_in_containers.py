"""An order with ``--databases docker``: the whole path, its database in a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from snipbench.store.sqlite import SqliteStore

from .conftest import json_of, run_command

ORDER = """\
name: contained
seed: 7
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 2, spark.sql.codegen.wholeStage: false}}
monitor: {interval: 50ms, source: cgroup}
databases:
  shop: {dataset: {generator: tpch, scale: 0.005}, clone: overlay, limits: {cpus: 1, memory: 1g}}
experiments:
  - name: one
    database: shop
    tables: [lineitem]
    warmups: 1
    repetitions: 3
    snippets: [{name: sum, kind: sql, code: select sum(l_quantity) from lineitem}]
"""


@pytest.fixture
def order(tmp_path: Path) -> Path:
    path = tmp_path / "contained.yaml"
    path.write_text(ORDER)
    return path


@pytest.mark.docker
@pytest.mark.root
@pytest.mark.spark
@pytest.mark.timeout(600)
def test_an_order_runs_on_a_database_in_a_container(order: Path, tmp_path: Path) -> None:
    done = run_command("run", order, "--home", tmp_path, "--databases", "docker", "--json")
    outcome = json_of(done)
    assert (done.returncode, outcome["status"]) == (0, "completed"), done.stderr
    (snippet,) = outcome["experiments"][0]["snippets"]
    assert snippet["cpu_seconds"]["database"]["median"] > 0
    assert "ignored here" not in done.stderr
    planned = json_of(run_command("plan", order, "--home", tmp_path, "--json"))
    assert planned["plan_hash"] == outcome["plan_hash"]
    store = SqliteStore(tmp_path / "store.sqlite")
    sources = {(sample["target"], sample["source"]) for sample in store.find("samples")}
    (task,) = store.find("tasks")
    store.close()
    assert sources == {("executor", "process"), ("database:shop", "cgroup")}
    assert task["mode"] == "docker"
    assert list((tmp_path / "databases" / "docker" / "clones").iterdir()) == []


def test_what_needs_containers_is_refused_before_anything_is_made(order: Path, tmp_path: Path) -> None:
    done = run_command("run", order, "--home", tmp_path / "home")
    assert done.returncode == 2
    assert "monitor.source: cgroup, databases.shop.clone: overlay: needs --databases docker" in done.stderr

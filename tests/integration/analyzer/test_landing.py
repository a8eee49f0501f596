"""Landing through real delta-spark, read back without a JVM."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from analyzer.landing import LandingReport, land
from analyzer.landing.staging import stage_task
from benchmarks.synthetic import write_task
from snipbench.errors import LakeError
from snipbench.lake.columns import ColumnType
from snipbench.lake.reader import query, run_kept, task_rows
from snipbench.lake.tables import TABLES, THREAD_ZEPPELIN_COLUMNS
from snipbench.store.sqlite import SqliteStore

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Landed:
    """A lake in which two tasks were landed, the first one in two goes."""

    lake: Path
    store: Path
    calls: Path
    failure: str
    left_by_failure: frozenset[str]
    first: LandingReport
    first_before: dict[str, pa.Table]
    second: LandingReport


def profiled_calls(path: Path, task_id: str) -> Path:
    """A staged table ``function_calls`` with two calls."""
    at = datetime(2026, 1, 31, 9, tzinfo=UTC)
    defaults = {
        ColumnType.STRING: "text",
        ColumnType.BIGINT: 7,
        ColumnType.DOUBLE: 0.5,
        ColumnType.TIMESTAMP: at,
        ColumnType.DATE: date(2026, 1, 31),
        ColumnType.BINARY: b"x",
    }
    row = {column.name: defaults[column.type] for column in TABLES["function_calls"].columns}
    rows = [row | {"task_id": task_id, "call_id": f"call-{n}", "execution_time": float(n)} for n in (1, 2)]
    pq.write_table(pa.Table.from_pylist(rows, schema=TABLES["function_calls"].arrow_schema()), path)
    return path


def snapshot(lake: Path, task_id: str) -> dict[str, pa.Table]:
    """A task's rows of all tables in an order of their own."""
    return {name: ordered(task_rows(lake, name, task_id)) for name in TABLES}


def ordered(table: pa.Table) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in table.column_names])


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, jars: tuple[Path, ...]) -> Landed:
    home = tmp_path_factory.mktemp("home")
    lake, store_path = home / "lake", home / "store.sqlite"
    store = SqliteStore(store_path)
    write_task(store, "task-1")
    write_task(store, "task-2", samples=0)
    store.close()
    calls = profiled_calls(home / "calls.parquet", "task-1")
    # The first go ends half way: files stand where most tables should be.
    lake.mkdir()
    blocked = [lake / name for name in TABLES if name not in {"tasks", "runs"}]
    for path in blocked:
        path.write_text("in the way", encoding="utf-8")
    with pytest.raises(LakeError) as caught:
        land(store_path, lake, "task-1", jars)
    left = frozenset(name for name in TABLES if (lake / name / "_delta_log").is_dir())
    for path in blocked:
        path.unlink()
    first = land(store_path, lake, "task-1", jars, extra={"function_calls": calls})
    before = snapshot(lake, "task-1")
    second = land(store_path, lake, "task-2", jars)
    return Landed(lake, store_path, calls, str(caught.value), left, first, before, second)


def test_a_table_that_cannot_be_written_is_named(landed: Landed) -> None:
    assert "table summaries could not be written" in landed.failure
    assert "\tat " not in landed.failure
    assert landed.left_by_failure == {"tasks", "runs"}


def test_landing_again_completes_what_a_crash_left_and_doubles_nothing(landed: Landed, tmp_path: Path) -> None:
    store = SqliteStore(landed.store)
    staged = stage_task(store, "task-1", tmp_path, {"function_calls": landed.calls})
    store.close()
    assert {found.table: found.rows for found in staged if found.rows} == landed.first.tables
    for found in staged:
        expected = ordered(pq.read_table(found.directory, schema=TABLES[found.table].arrow_schema()))
        assert landed.first_before[found.table].equals(expected), found.table
    assert landed.first.rows == sum(found.rows for found in staged)


def test_landing_another_task_leaves_the_first_alone(landed: Landed) -> None:
    assert snapshot(landed.lake, "task-1") == landed.first_before
    assert task_rows(landed.lake, "runs", "task-2").num_rows == landed.second.tables["runs"]
    assert task_rows(landed.lake, "samples", "task-2").num_rows == 0


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_tables_in_the_lake_have_the_documented_columns(landed: Landed, name: str) -> None:
    if not (landed.lake / name).is_dir():
        assert name not in landed.first.tables
        return
    fields = json.loads(DeltaTable(str(landed.lake / name)).schema().to_json())["fields"]
    spark = {ColumnType.BIGINT: "long"}
    documented = [(c.name, spark.get(c.type, c.type.value)) for c in TABLES[name].columns]
    assert [(f["name"], f["type"]) for f in fields] == documented
    assert all(f["metadata"]["comment"] for f in fields)


def test_samples_within_a_run_carry_its_slot(landed: Landed) -> None:
    wrong = query(
        landed.lake,
        """select count(*) as n from samples s left join runs r
           on r.task_id = s.task_id and s.at between r.started_at and r.ended_at
           where s.slot_id is distinct from r.slot_id""",
    )
    assert wrong.to_pylist() == [{"n": 0}]
    marked = query(landed.lake, "select count(slot_id) as inside, count(*) as n from samples").to_pylist()[0]
    assert 0 < marked["inside"] < marked["n"] == 100


def test_sources_come_back_from_their_compressed_form(landed: Landed) -> None:
    for row in task_rows(landed.lake, "snippets", "task-1").to_pylist():
        source = zlib.decompress(row["source_code_compressed"])
        assert source.decode().startswith("def run(x)")
        assert hashlib.md5(source, usedforsecurity=False).hexdigest() == row["source_code_md5_hash"]


def test_a_missing_value_is_null_in_the_lake(landed: Landed) -> None:
    found = query(
        landed.lake,
        "select distinct value from run_metrics where metric = 'spill_bytes' and task_id = :task",
        {"task": "task-1"},
    )
    assert found.to_pylist() == [{"value": None}]


def test_profiled_calls_are_ranked_and_shown_with_the_published_columns(landed: Landed) -> None:
    assert query(landed.lake, "select * from thread_zeppelin").column_names == list(THREAD_ZEPPELIN_COLUMNS)
    (worst,) = run_kept(landed.lake, "worst_functions", {"n": 1}).to_pylist()
    assert (worst["calls"], worst["total_seconds"], worst["share_of_time"]) == (2, 3.0, 1.0)


def test_a_task_that_is_not_there_is_named_without_starting_a_jvm(landed: Landed, jars: tuple[Path, ...]) -> None:
    with pytest.raises(LakeError, match="there is no task 'task-9'"):
        land(landed.store, landed.lake, "task-9", jars)


def test_a_landing_ends_with_the_process_that_asked_for_it(landed: Landed, jars: tuple[Path, ...]) -> None:
    code = (
        "import sys; from pathlib import Path; from analyzer.landing import land; "
        "land(sys.argv[1], Path(sys.argv[2]), 'task-1', [Path(jar) for jar in sys.argv[3:]])"
    )
    lake = landed.lake.parent / "unfinished"
    command = [sys.executable, "-c", code, str(landed.store), str(lake), *map(str, jars)]
    asking = subprocess.Popen(command, cwd=ROOT)
    try:
        family = await_jvm(asking.pid)
    finally:
        os.kill(asking.pid, signal.SIGKILL)
        asking.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def await_jvm(pid: int) -> list[psutil.Process]:
    """The process's descendants once a JVM is among them."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        family = psutil.Process(pid).children(recursive=True)
        if any(process.name() == "java" for process in family):
            return family
        time.sleep(0.05)
    raise AssertionError("no JVM was started")

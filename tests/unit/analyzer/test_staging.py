"""A task's documents become rows of the lake's tables, and what does not fit them is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analyzer.landing import samples
from analyzer.landing.arrow import arrow_table
from analyzer.landing.samples import sample_batches
from analyzer.landing.staging import stage_task
from analyzer.material import load_material
from benchmarks.synthetic import write_task
from snipbench import records
from snipbench.domain.run import Counters
from snipbench.errors import LakeError, UsageError
from snipbench.lake.tables import TABLES
from snipbench.store.port import BulkReader, Document, DocumentStore
from snipbench.store.sqlite import SqliteStore

COUNTERS = Counters("2026-01-31T10:00:00.000001Z", None, None, None, 5, "rss", None, None, "proc_io", 1, 1)


class PlainReader:
    """A store that offers the port's reading and nothing beyond it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def find(
        self,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: Sequence[str] = ("_id",),
        limit: int | None = None,
    ) -> Iterator[Document]:
        return self._store.find(collection, where, order_by=order_by, limit=limit)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    write_task(opened, "task-1", repetitions=2, samples=2_000)
    yield opened
    opened.close()


def read_samples(store: DocumentStore) -> pa.Table:
    runs = load_material(store, "task-1").runs if isinstance(store, SqliteStore) else ()
    batches = list(sample_batches(store, "task-1", runs))
    schema = TABLES["samples"].arrow_schema()
    return pa.concat_tables([schema.empty_table(), *batches]).sort_by(
        [("target", "ascending"), ("sequence", "ascending")]
    )


def test_samples_are_the_same_in_bulk_and_one_by_one(store: SqliteStore) -> None:
    assert isinstance(store, BulkReader)
    plain = PlainReader(store)
    assert not isinstance(plain, BulkReader)
    slow = read_samples(plain)  # type: ignore[arg-type]
    fast = read_samples(store)
    assert fast.num_rows == slow.num_rows == 2_000
    assert fast.drop_columns(["slot_id"]).equals(slow.drop_columns(["slot_id"]))


def test_samples_are_the_same_in_one_batch_and_in_many(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_samples(store)
    monkeypatch.setattr(samples, "BATCH_BYTES", 50_000)
    assert len(list(sample_batches(store, "task-1", ()))) > 1
    assert read_samples(store).equals(whole)


def test_a_sample_keeps_microseconds_and_missing_values(store: SqliteStore) -> None:
    document = records.sample_to_document(
        COUNTERS, task_id="task-2", experiment="x", target="executor", stream_id="s", sequence=0, source="process"
    )
    store.insert("samples", [document])
    (batch,) = sample_batches(store, "task-2", ())
    (row,) = batch.to_pylist()
    assert row["at"] == datetime(2026, 1, 31, 10, 0, 0, 1, tzinfo=UTC)
    assert (row["cpu_seconds"], row["slot_id"], row["memory_bytes"]) == (None, None, 5)


@pytest.mark.parametrize("change", [{"sequence": "first"}, {"at": "yesterday"}, {"target": None}])
def test_a_sample_of_another_shape_is_refused(store: SqliteStore, change: dict[str, Any]) -> None:
    document = records.sample_to_document(
        COUNTERS, task_id="task-2", experiment="x", target="executor", stream_id="s", sequence=0, source="process"
    )
    store.insert("samples", [document | change])
    with pytest.raises(LakeError, match="samples"):
        list(sample_batches(store, "task-2", ()))


def test_every_table_made_from_documents_is_staged(store: SqliteStore, tmp_path: Path) -> None:
    staged = {found.table: found.rows for found in stage_task(store, "task-1", tmp_path, {})}
    assert staged["runs"] == 24
    assert staged["attempts"] == 1
    assert staged["comparisons"] == 2 * 3 * 3
    assert set(TABLES) - set(staged) <= {"function_calls"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "t"}, "missing or unknown"),
        ({"surprise": 1}, "missing or unknown"),
        ({"step": None}, "step must not be null"),
        ({"pairs": "many"}, "verifications"),
    ],
)
def test_rows_that_do_not_fit_are_refused(row: dict[str, Any], message: str) -> None:
    table = TABLES["verifications"]
    complete: dict[str, Any] = dict.fromkeys(table.column_names)
    complete |= {"task_id": "t", "suggestion_id": "s", "step": 1, "name": "pairs", "status": "passed"}
    given = {"task_id": "t"} if len(row) == 1 and "task_id" in row else complete | row
    with pytest.raises(LakeError, match=message):
        arrow_table(table, [given])


def test_further_tables_must_be_the_tasks_own(store: SqliteStore, tmp_path: Path) -> None:
    schema = TABLES["function_calls"].arrow_schema()
    foreign = tmp_path / "calls.parquet"
    pq.write_table(pa.Table.from_pylist([dict.fromkeys(schema.names) | {"task_id": "task-9"}], schema=schema), foreign)
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    for number, (extra, error, message) in enumerate(
        [
            ({"function_calls": foreign}, LakeError, "another task"),
            ({"function_calls": other}, LakeError, "does not have its columns"),
            ({"function_calls": tmp_path / "none.parquet"}, LakeError, "does not have its columns"),
            ({"runs": foreign}, LakeError, "cannot be given"),
            ({"walks": foreign}, UsageError, "there is no table"),
        ]
    ):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        with pytest.raises(error, match=message):
            stage_task(store, "task-1", scratch, extra)

"""Facts about tables as documents."""

from __future__ import annotations

from snipbench import records
from snipbench.domain.order import Database, Tpch
from snipbench.domain.table_facts import ColumnFacts, TableFacts

SHOP = Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01))


def test_facts_come_back_as_they_went() -> None:
    columns = (ColumnFacts("k", "bigint", 8, 0.0, -1.0, (1.0, 5.0, 9.0)), ColumnFacts("t", "text", None, None, None))
    tables = (TableFacts("public", "orders", 15_000, 10, 20, columns), TableFacts("public", "raw", None, 0, 0, ()))
    document = records.table_facts_to_document("task-1", "exchange", SHOP, tables, "2026-01-31T09:00:00.000000Z")
    assert document["_id"] == "task-1:exchange"
    assert records.table_facts_from_document(document) == tables


def test_equal_datasets_have_equal_keys_whatever_the_database_is_called() -> None:
    other = SHOP.model_copy(update={"name": "store"})
    bigger = SHOP.model_copy(update={"dataset": Tpch(generator="tpch", scale=0.02)})
    assert records.dataset_key(SHOP) == records.dataset_key(other)
    assert records.dataset_key(SHOP) != records.dataset_key(bigger)

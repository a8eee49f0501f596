"""Reading orders that are right: every key of the design's section 5."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.orders import LoadedOrder, read_order
from snipbench.domain.order import Order, Role

ORDER = """\
name: add-one
description: one addition in five forms
tags: [udf, tutorial]
seed: 7
schedule: randomized
sessions: 1
calibrate: false
float_tolerance: 1e-9
profile: false
spark: {master: "local[*]", conf: {spark.sql.shuffle.partitions: 4}}
monitor: {interval: 500ms, source: auto}
databases:
  shop:
    image: postgres:16
    dataset: {generator: tpch, scale: 0.01}
    settings: {shared_buffers: 256MB}
    clone: auto
    limits: {cpus: 1, memory: 1g}
experiments:
  - name: exchange
    database: shop
    tables: [lineitem, {name: orders, partition_column: o_orderkey, partitions: 2, fetch_size: 500}]
    source: jdbc
    warmups: 2
    repetitions: 10
    timeout: 2m
    parameters: {max_orderkey: [15000, 60000]}
    snippets:
      - name: row
        kind: python_udf
        input: select cast(l_quantity as double) from lineitem where l_orderkey <= :max_orderkey
        returns: double
        file: snippets/add_one_row.py
      - {name: pandas, kind: pandas_udf, variant_of: row, file: snippets/add_one_pandas.py}
      - name: native
        kind: sql
        variant_of: row
        code: "select cast(l_quantity as double) + 1 from lineitem where l_orderkey <= :max_orderkey"
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedOrder:
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "add_one_row.py").write_text("def run(quantity):\n    return quantity + 1\n")
    (tmp_path / "snippets" / "add_one_pandas.py").write_text("def run(quantity):\n    return quantity + 1.0\n")
    path = tmp_path / "order.yaml"
    path.write_text(ORDER)
    return read_order(path)


def test_quantities_become_base_units(loaded: LoadedOrder) -> None:
    order = loaded.order
    assert order.monitor.interval_seconds == 0.5
    assert order.database("shop").limits.memory_bytes == 2**30
    assert order.experiment("exchange").timeout_seconds == 120
    assert order.float_tolerance == 1e-9


def test_table_shorthand_is_a_table_with_defaults(loaded: LoadedOrder) -> None:
    plain, partitioned = loaded.order.experiment("exchange").tables
    assert (plain.name, plain.partitions, plain.fetch_size) == ("lineitem", 1, 10_000)
    assert (partitioned.partition_column, partitioned.partitions, partitioned.fetch_size) == ("o_orderkey", 2, 500)


def test_variant_inherits_what_its_kind_takes(loaded: LoadedOrder) -> None:
    experiment = loaded.order.experiment("exchange")
    row, pandas, native = (experiment.snippet(name) for name in ("row", "pandas", "native"))
    assert (pandas.input, pandas.returns, pandas.template) == (row.input, "double", "row")
    assert (native.input, native.returns, native.template) == (None, None, "row")
    assert [snippet.role for snippet in (row, pandas, native)] == [Role.BASELINE, Role.VARIANT, Role.VARIANT]


def test_udf_group_gets_one_floor_that_runs_its_input(loaded: LoadedOrder) -> None:
    floors = [snippet for snippet in loaded.order.experiment("exchange").snippets if snippet.role is Role.FLOOR]
    assert [(floor.name, floor.kind, floor.baseline) for floor in floors] == [("row.input", "sql", "row")]
    assert floors[0].code.startswith("select cast(l_quantity")


def test_code_of_a_file_is_in_the_order(loaded: LoadedOrder) -> None:
    assert loaded.order.experiment("exchange").snippet("pandas").code.endswith("quantity + 1.0\n")
    assert set(loaded.files) == {"snippets/add_one_row.py", "snippets/add_one_pandas.py"}


def test_order_reads_back_from_its_json(loaded: LoadedOrder) -> None:
    assert Order.model_validate_json(loaded.order.model_dump_json(), strict=True) == loaded.order


def test_overrides_take_the_place_of_the_files_values(loaded: LoadedOrder) -> None:
    assert loaded.path is not None
    order = read_order(loaded.path, warmups=0, repetitions=3, seed=9).order
    assert (order.seed, order.experiments[0].warmups, order.experiments[0].repetitions) == (9, 0, 3)

"""The JSON Schema: current, and of one mind with the parser about shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from orchestrator.orders import read_order
from orchestrator.orders.schema import order_schema, order_schema_text
from orchestrator.orders.template import write_example
from orchestrator.orders.warnings import find_warnings
from snipbench.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
BROKEN = Path(__file__).parent / "broken"
READY = sorted(path for path in (ROOT / "configs").glob("*.yaml") if "experiments:" in path.read_text())
SHAPE_MISTAKES = (
    "unknown-key",
    "missing-name",
    "seed-is-text",
    "schedule-unknown",
    "tags-is-text",
    "calibrate-is-yes",
    "monitor-interval-no-unit",
    "generator-unknown",
    "dataset-unknown-key",
    "memory-limit",
    "databases-empty",
    "database-name",
    "table-unknown-key",
    "source-unknown",
    "warmups-word",
    "repetitions-zero",
    "timeout-unit",
    "parameters-empty",
    "kind-unknown",
    "kind-missing",
    "code-missing",
    "code-and-file",
    "no-snippets",
    "null-value",
    "analysis-kind",
    "analysis-key",
)


def load(path: Path) -> Any:
    data = YAML(typ="safe", pure=True).load(path.read_text())
    return json.loads(json.dumps(data, default=str))


def test_committed_schema_is_current() -> None:
    committed = (ROOT / "configs" / "order.schema.json").read_text()
    assert committed == order_schema_text(), "run: snipbench schema > configs/order.schema.json"


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(order_schema())


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_orders_fit_the_schema_and_the_parser(path: Path) -> None:
    jsonschema.validate(load(path), order_schema())
    assert read_order(path).order.experiments


@pytest.mark.parametrize("name", SHAPE_MISTAKES)
def test_schema_refuses_mistakes_of_shape(name: str) -> None:
    validator = jsonschema.Draft202012Validator(order_schema())
    assert list(validator.iter_errors(load(BROKEN / f"{name}.yaml")))


def test_example_fits_schema_and_parser_without_a_warning(tmp_path: Path) -> None:
    written = write_example(tmp_path / "new")
    order = tmp_path / "new" / "order.yaml"
    assert order in written
    jsonschema.validate(load(order), order_schema())
    assert find_warnings(read_order(order)) == ()


def test_example_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        write_example(tmp_path)
    assert (tmp_path / "order.yaml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["order.yaml"]

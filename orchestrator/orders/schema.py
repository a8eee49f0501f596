"""The JSON Schema of an order file, for editors. What needs more than the shape is left to ``snipbench check``."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.orders.shape import OrderShape

_PYDANTIC_ONLY = ("ge", "gt", "le", "lt")


def order_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file's shape; a fresh, JSON-like dictionary."""
    schema = OrderShape.model_json_schema()
    _plain(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "snipbench order",
    }


def order_schema_text() -> str:
    """The schema as committed in ``configs/order.schema.json``."""
    return json.dumps(order_schema(), indent=2, ensure_ascii=False) + "\n"


def _plain(node: Any) -> None:
    """Make pydantic's schema say exactly what its models take.

    Its ``oneOf`` of scalars would refuse 3 (both an integer and a number); keys of a mapping that match no pattern
    would pass; bounds of fields with units are written as keywords that JSON Schema has not.
    """
    if isinstance(node, list):
        for item in node:
            _plain(item)
        return
    if not isinstance(node, dict):
        return
    if "oneOf" in node and "properties" not in node:
        node["anyOf"] = node.pop("oneOf")
        node.pop("discriminator", None)
    if "patternProperties" in node:
        node["additionalProperties"] = False
    options = [option for option in node.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1 and len(node["anyOf"]) == 2:
        # A key that may be left out; written, it needs a value.
        del node["anyOf"]
        node.pop("default", None)
        node.update(options[0])
    for keyword in _PYDANTIC_ONLY:
        node.pop(keyword, None)
    for value in node.values():
        _plain(value)

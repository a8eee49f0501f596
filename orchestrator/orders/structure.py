"""Structure of the order: pydantic's errors -> mistakes with place, path, offending value and valid choices."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from orchestrator.orders.document import Node, shape_of
from orchestrator.orders.mistakes import Findings, Place, choices, hint, nearest
from orchestrator.orders.schema import order_schema
from orchestrator.orders.shape import OrderShape
from snipbench.domain.database import TABLES_OF_GENERATOR

NAME_RULES = {
    r"^[A-Za-z][A-Za-z0-9_-]{0,62}$": "a name is a letter, then letters, digits, '_' or '-', at most 63 in all",
    r"^[A-Za-z_][A-Za-z0-9_]{0,62}$": "an identifier is a letter or '_', then letters, digits or '_', at most 63",
}
"""What a name must be, by its pattern."""
_GENERATORS = tuple(TABLES_OF_GENERATOR)
_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def read_structure(root: Node, findings: Findings) -> OrderShape | None:
    """The file as models; ``None`` if its structure has mistakes, all of which are then in ``findings``."""
    try:
        # JSON mode, strict: lists become tuples and words enums, but "7" is no number and 1 is not true.
        return OrderShape.model_validate_json(json.dumps(root.value), strict=True)
    except ValidationError as error:
        schema: dict[str, Any] | None = None
        for detail in error.errors(include_url=False):
            if schema is None:
                schema = order_schema()
            _Report(root, schema, findings).add(detail)
        return None


class _Report:
    def __init__(self, root: Node, schema: Mapping[str, Any], findings: Findings) -> None:
        self._root = root
        self._schema = schema
        self._findings = findings

    def add(self, detail: Mapping[str, Any]) -> None:
        """Translate one of pydantic's errors."""
        location = tuple(detail["loc"])
        steps = [step for step in location if not (isinstance(step, str) and step.startswith("<"))]
        if detail["type"] == "extra_forbidden":
            self._unknown_key(location, steps)
        elif detail["type"] == "missing":
            self._missing_key(steps)
        elif steps and steps[-1] == "[key]":
            self._bad_key(steps[:-1], detail)
        else:
            self._bad_value(steps, detail)

    def _find(self, steps: list[Any]) -> tuple[Node, Place]:
        """The deepest node on the way, and where it stands."""
        node = self._root
        place = node.place
        for step in steps:
            child = node.get(step)
            if child is None:
                break
            node = child
            place = child.place
        return node, place

    def _unknown_key(self, location: tuple[Any, ...], steps: list[Any]) -> None:
        parent, _ = self._find(steps[:-1])
        key = str(steps[-1])
        valid = self._keys_at(location[:-1])
        self._findings.add(
            parent.key_place(key), parent.below(key), f"unknown key {key!r}{hint(key, valid, what='valid keys')}"
        )

    def _missing_key(self, steps: list[Any]) -> None:
        parent, place = self._find(steps[:-1])
        key = str(steps[-1])
        if key in parent.keys:
            return  # the key is there; what is wrong with its value is told already
        # A key that is nearly this one is told with the unknown key; both are true.
        near = nearest(key, [name for name in parent.keys if name != key])
        extra = f" (there is {near!r})" if near else ""
        self._findings.add(place, parent.below(key), f"key {key!r} is required{extra}")

    def _bad_key(self, steps: list[Any], detail: Mapping[str, Any]) -> None:
        parent, _ = self._find(steps[:-1])
        key = str(steps[-1])
        rule = NAME_RULES.get(detail.get("ctx", {}).get("pattern", ""), detail["msg"])
        self._findings.add(parent.key_place(key), parent.below(key), f"{key!r} cannot be a name: {rule}")

    def _bad_value(self, steps: list[Any], detail: Mapping[str, Any]) -> None:
        node, place = self._find(steps)
        message = _explain(detail, node.value)
        if message is not None:
            self._findings.add(place, node.path, message)

    def _keys_at(self, location: tuple[Any, ...]) -> list[str]:
        """Valid keys of the mapping at ``location``, read from the schema."""
        definitions = self._schema["$defs"]
        node: Mapping[str, Any] = self._schema
        for step in location:
            if isinstance(step, str) and step.startswith("<"):
                node = definitions.get(step.strip("<>"), node)
                continue
            node = self._resolve(node)
            if isinstance(step, int):
                node = node.get("items", {})
            elif step in node.get("properties", {}):
                node = node["properties"][step]
            else:
                values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
                node = next((value for value in values if isinstance(value, dict)), {})
        return list(self._resolve(node).get("properties", {}))

    def _resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node or ("anyOf" in node and "properties" not in node):
            if "$ref" in node:
                node = self._schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
            else:
                node = next((option for option in node["anyOf"] if "$ref" in option), {})
        return node


def _explain(detail: Mapping[str, Any], value: Any) -> str | None:
    """The message of one error; ``None`` where another error says it already."""
    kind = detail["type"]
    context = detail.get("ctx", {})
    shown = shape_of(value)
    message: str | None = str(detail["msg"])
    if kind in {"enum", "literal_error"}:
        valid = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"].lower()]
        message = _choice(value, shown, valid)
    elif kind in _WANTED:
        message = f"{shown} is not {_WANTED[kind]}"
    elif kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        message = f"{shown} is out of range: must be {words} {context[key]:g}"
    elif kind == "string_pattern_mismatch":
        message = f"{shown} is not a name: {NAME_RULES.get(context['pattern'], context['pattern'])}"
    elif kind == "string_too_short":
        message = "an empty text; something must stand here"
    elif kind == "too_short":
        # With mistakes in its items pydantic counts only the good ones; those mistakes are told already.
        message = None if value else "nothing stands here; at least one is needed"
    elif kind == "too_long":
        message = f"too many: {len(value)}, at most {context['max_length']}"
    elif kind == "scalar":
        message = f"{shown} is no single value; a text, a number, true or false is wanted"
    elif kind == "dataset" and isinstance(value, dict) and "generator" in value:
        message = f"generator {shape_of(value['generator'])} is unknown{hint(str(value['generator']), _GENERATORS)}"
    elif kind == "analysis" and isinstance(value, dict) and "kind" in value:
        message = f"kind {shape_of(value['kind'])} is unknown{hint(str(value['kind']), ('classify', 'optimize'))}"
    return message


def _choice(value: Any, shown: str, valid: list[str]) -> str:
    if isinstance(value, str):
        return f"{shown} is not valid{hint(value, valid)}"
    return f"{shown} is not valid (valid: {choices(valid)})"

"""Edits of an order's text that leave every other character as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from snipbench.domain.order import Snippet
from snipbench.errors import UsageError

STEP = 2
"""Columns by which what is added is indented below its key."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A snippet's mapping in the file's tree and the list that it stands in."""

    snippet: Any
    siblings: Any


def with_code(text: str, experiment: str, snippet: str, code: str) -> str:
    """The order with other inline code of a snippet.

    Raises:
        UsageError: the order has no such snippet, or it has no inline code.
    """
    found = _find(text, experiment, snippet)
    key, value = next(((key, value) for key, value in found.snippet.value if key.value == "code"), (None, None))
    if key is None or value is None:
        raise UsageError(f"snippet {snippet!r} of experiment {experiment!r} has no inline code")
    flow = found.snippet.flow_style or found.siblings.flow_style
    old = text[value.start_mark.index : value.end_mark.index]
    new = json.dumps(code, ensure_ascii=False)
    if not flow and _fits_block(code):
        new = _block(code, key.start_mark.column + STEP).removesuffix("\n")
    # A block takes in the line break behind it, and the empty lines that belong to the layout of the file.
    layout = old[len(old.rstrip("\n")) :]
    return f"{text[: value.start_mark.index]}{new}{layout}{text[value.end_mark.index :]}"


def with_variant(text: str, experiment: str, after: str, variant: Snippet) -> str:
    """The order with a further snippet right behind another one.

    Raises:
        UsageError: the order has no such experiment or snippet, or it stands where no rule can put another one.
    """
    found = _find(text, experiment, after)
    keys: dict[str, str] = {"name": variant.name, "kind": variant.kind.value, "variant_of": variant.baseline}
    if variant.entry != "run":
        keys["entry"] = variant.entry
    if variant.kind.is_udf and variant.returns is not None:
        keys["returns"] = variant.returns
    end = found.snippet.end_mark
    if found.siblings.flow_style:
        return (
            f"{text[: end.index]}, {json.dumps(keys | {'code': variant.code}, ensure_ascii=False)}{text[end.index :]}"
        )
    lines = text.splitlines(keepends=True)
    line = lines[found.snippet.start_mark.line]
    dash = line.rfind("-", 0, found.snippet.start_mark.column)
    if dash < 0 or line[:dash].strip():
        raise UsageError(f"snippet {after!r} does not begin a line of its own with '-'; add the variant by hand")
    indent = " " * (dash + STEP)
    parts = [f"{' ' * dash}- name: {keys.pop('name')}\n"]
    parts += [f"{indent}{key}: {value if value.isidentifier() else json.dumps(value)}\n" for key, value in keys.items()]
    if _fits_block(variant.code):
        parts.append(f"{indent}code: {_block(variant.code, dash + 2 * STEP)}")
    else:
        parts.append(f"{indent}code: {json.dumps(variant.code, ensure_ascii=False)}\n")
    # A mapping in braces ends within a line; one without ends where the next thing begins.
    inside = bool(lines[end.line : end.line + 1]) and bool(lines[end.line][: end.column].strip())
    last = end.line if inside else end.line - 1
    while last > 0 and not lines[last].strip():
        last -= 1
    if not lines[last].endswith("\n"):
        lines[last] += "\n"
    return "".join([*lines[: last + 1], *parts, *lines[last + 1 :]])


def _find(text: str, experiment: str, snippet: str) -> _Found:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        raise UsageError(f"the order is no YAML any more: {error}") from error
    for one in _items(_value(root, "experiments")):
        if _text(one, "name") == experiment:
            snippets = _value(one, "snippets")
            for found in _items(snippets):
                if _text(found, "name") == snippet:
                    return _Found(found, snippets)
    raise UsageError(f"the order has no snippet {snippet!r} in an experiment {experiment!r}")


def _value(mapping: Any, name: str) -> Any:
    pairs = mapping.value if mapping is not None and isinstance(mapping.value, list) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _items(sequence: Any) -> Any:
    return () if sequence is None else sequence.value


def _text(mapping: Any, name: str) -> str | None:
    found = _value(mapping, name)
    return None if found is None else found.value


def _fits_block(code: str) -> bool:
    """Whether a literal block says exactly this."""
    lines = code.splitlines()
    plain = all(character.isprintable() or character in "\n" for character in code)
    return plain and bool(lines) and not lines[0].startswith(" ") and bool(lines[0].strip())


def _block(code: str, indent: int) -> str:
    body = "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in code.rstrip("\n").split("\n"))
    return f"|{'' if code.endswith(chr(10)) else '-'}\n{body}"

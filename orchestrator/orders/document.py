"""YAML text -> plain data that knows where each value stands.

Only what an order needs is accepted: one document, text keys, no tags, no repeated keys, finite numbers, and
aliases only as far as they do not blow the file up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.orders.mistakes import Findings, Place

MAX_BYTES = 2**20
MAX_VALUES = 50_000
"""Once aliases are expanded."""
MAX_DEPTH = 40
MAX_DIGITS = 1000
"""Of a whole number; Python writes down none of more than 4,300."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file with its place. ``value`` is plain data (dict, list, text, number or bool)."""

    value: Any
    place: Place
    path: str
    style: str | None = None
    """YAML style of a text: ``|`` or ``>`` for blocks, quotes, or ``None``."""
    keys: dict[str, Place] = field(default_factory=dict)
    """Where each key of a mapping stands."""
    children: dict[str | int, Node] = field(default_factory=dict)

    def get(self, key: str | int) -> Node | None:
        """The child of that key or index."""
        return self.children.get(key)

    def text(self, key: str) -> str | None:
        """The child's value if it is text."""
        child = self.children.get(key)
        return child.value if child is not None and isinstance(child.value, str) else None

    def items(self, key: str) -> Iterator[Node]:
        """The children of a child: a list's items or a mapping's values; nothing if there is no such child."""
        child = self.children.get(key)
        if child is not None:
            yield from child.children.values()

    def key_place(self, key: str) -> Place:
        """Where the key stands; the mapping's own place if it is not there."""
        return self.keys.get(key, self.place)

    def below(self, key: str | int) -> str:
        """Path of a child, for a message."""
        if isinstance(key, int):
            return f"{self.path}[{key}]"
        return f"{self.path}.{key}" if self.path else key


def decode(raw: bytes | str, findings: Findings) -> str | None:
    """The text of an order; ``None`` if it is too long or no UTF-8 (then ``findings`` says so)."""
    if isinstance(raw, str):
        raw = raw.encode("utf-8", errors="surrogatepass")
    if len(raw) > MAX_BYTES:
        findings.add(Place(1, 1), "", f"the file is too long; an order has at most {MAX_BYTES} bytes")
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        findings.add(place, "", f"not UTF-8: byte 0x{raw[error.start]:02x}; save the file as UTF-8")
        return None


def read_document(text: str, findings: Findings) -> Node | None:
    """The document's root mapping; ``None`` if there is none to go on with (then ``findings`` says why)."""
    from orchestrator.orders.composing import compose  # with ruamel's parser

    root = compose(text, findings)
    if root is None:
        return None
    walk = _Walk(findings)
    node = walk.node(root, "", 0)
    if walk.exploded:
        return None
    if node is not None and not isinstance(node.value, dict):
        findings.add(node.place, "", f"an order is a mapping of keys to values, not {shape_of(node.value)}")
        return None
    return node


def shape_of(value: Any) -> str:
    """What a value is, in words for a message: ``a list``, ``nothing``, ``'dubble'``."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


class _Walk:
    """Turns ruamel's nodes into :class:`Node`, counting values so that aliases cannot explode."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._count = 0
        self._open: set[int] = set()

    @property
    def exploded(self) -> bool:
        """Whether the values were too many, so that what was read is cut short."""
        return self._count > MAX_VALUES

    def node(self, raw: Any, path: str, depth: int, key_place: Place | None = None) -> Node | None:
        from ruamel.yaml.nodes import MappingNode, ScalarNode

        place = Place(raw.start_mark.line + 1, raw.start_mark.column + 1)
        if key_place is not None and not raw.value and raw.start_mark.index == raw.end_mark.index:
            place = key_place  # nothing is written; YAML's own place of it is the next thing that is
        self._count += 1
        if self._count > MAX_VALUES:
            if self._count == MAX_VALUES + 1:
                self._findings.add(place, path, f"more than {MAX_VALUES} values once aliases are expanded")
            return None
        if id(raw) in self._open:
            self._findings.add(place, path, "an alias that contains itself")
            return None
        if depth > MAX_DEPTH:
            self._findings.add(place, path, f"values are nested too deeply; at most {MAX_DEPTH} levels")
            return None
        if isinstance(raw, ScalarNode):
            return self._scalar(raw, place, path)
        if not raw.tag.startswith("tag:yaml.org,2002:"):
            self._findings.add(place, path, f"tags such as {raw.tag} are not allowed")
            return None
        self._open.add(id(raw))
        try:
            return (
                self._mapping(raw, place, path, depth)
                if isinstance(raw, MappingNode)
                else self._list(raw, place, path, depth)
            )
        finally:
            self._open.discard(id(raw))

    def _mapping(self, raw: Any, place: Place, path: str, depth: int) -> Node:
        node = Node({}, place, path)
        for raw_key, raw_value in raw.value:
            key_place = Place(raw_key.start_mark.line + 1, raw_key.start_mark.column + 1)
            if not isinstance(raw_key.value, str) or raw_key.tag not in _KEY_TAGS:
                self._findings.add(key_place, path, "a key is a text, not a list, a mapping or a tagged value")
                continue
            key = raw_key.value
            if not _is_unicode(key):
                self._findings.add(key_place, path, f"the key {key!r} has {_HALF_CHARACTER}")
                continue
            if key in node.keys:
                self._findings.add(
                    key_place, node.below(key), f"key {key!r} stands here again; first in line {node.keys[key].line}"
                )
                continue
            node.keys[key] = key_place
            child = self.node(raw_value, node.below(key), depth + 1, key_place)
            if child is not None:
                node.children[key] = child
                node.value[key] = child.value
        return node

    def _list(self, raw: Any, place: Place, path: str, depth: int) -> Node:
        node = Node([], place, path)
        for raw_value in raw.value:
            index = len(node.value)
            child = self.node(raw_value, node.below(index), depth + 1)
            if child is not None:
                node.children[index] = child
                node.value.append(child.value)
        return node

    def _scalar(self, raw: Any, place: Place, path: str) -> Node | None:
        text: str = raw.value
        value: Any
        if not _is_unicode(text):
            self._findings.add(place, path, f"{shape_of(text)} has {_HALF_CHARACTER}")
            return None
        kind = raw.tag.removeprefix("tag:yaml.org,2002:")
        try:
            if kind in {"str", "timestamp"}:  # an instant stays the text it is
                value = text
            elif kind == "null":
                value = None
            elif kind == "bool":
                value = text.lower() == "true"
            elif kind == "int":
                value = _integer(text)
            elif kind == "float":
                value = float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
            else:
                self._findings.add(place, path, f"tags such as {raw.tag} are not allowed")
                return None
        except ValueError:
            self._findings.add(place, path, f"{shape_of(text)} is not a number")
            return None
        if value is None:
            self._findings.add(place, path, "nothing stands here; write a value or remove the key")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._findings.add(place, path, f"{text} is not a finite number")
            return None
        return Node(value, place, path, style=raw.style)


_HALF_CHARACTER = "half a character (an escape of one surrogate); write the character itself"
_KEY_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")}


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _integer(text: str) -> int:
    plain = text.replace("_", "").lower()
    digits = plain.lstrip("+-")
    if len(digits) > MAX_DIGITS:
        raise ValueError("too long")
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0o") else 2 if digits.startswith("0b") else 10
    return int(plain, base)

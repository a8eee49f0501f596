"""What a document may hold, so that every store behind the port can hold it (see ``snipbench.store.port``)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from snipbench.errors import StoreError

_COLLECTION = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FIELD = re.compile(r"\w[\w-]*")
_INT_LOW, _INT_HIGH = -(2**63), 2**63 - 1
_MAX_DEPTH = 50


def check_collection(name: str) -> None:
    """Refuse a collection's name that is not lower-case letters, digits and ``_`` (tables and folders ignore case).

    Raises:
        StoreError: the name is no such thing.
    """
    if not _COLLECTION.fullmatch(name) or name.startswith("sqlite_"):
        raise StoreError(f"{name!r} is no name of a collection: a lower-case letter, then letters, digits or '_'")


def check_documents(collection: str, documents: Iterable[Mapping[str, Any]]) -> None:
    """Refuse documents that some store could not hold.

    Raises:
        StoreError: names collection, document and path of the first offence.
    """
    for document in documents:
        identity = document.get("_id")
        if not isinstance(identity, str) or not identity:
            raise StoreError(f"{collection}: a document needs a non-empty text as _id, not {identity!r}")
        offence = _offence(document, "", 0)
        if offence:
            raise StoreError(f"{collection}/{identity}: {offence}")


def check_where(where: Mapping[str, Any] | None) -> None:
    """Refuse conditions on anything but top-level fields, or with values that cannot be compared.

    Raises:
        StoreError: the condition is not one that every store understands.
    """
    for field, value in (where or {}).items():
        _check_field(field)
        for one in value if isinstance(value, list | tuple) else (value,):
            offence = _offence(one, field, 0)
            if isinstance(one, dict | list | tuple) or offence:
                raise StoreError(f"cannot compare {field!r} with {one!r}: {offence or 'it is no plain value'}")


def check_order(order_by: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """Sort keys as (field, descending); ``_id`` is added last, so that the order is always complete.

    Raises:
        StoreError: a key is no name of a top-level field.
    """
    keys = [(key.removeprefix("-"), key.startswith("-")) for key in order_by]
    for field, _ in keys:
        _check_field(field)
    if not any(field == "_id" for field, _ in keys):
        keys.append(("_id", False))
    return tuple(keys)


def _check_field(field: str) -> None:
    if not _FIELD.fullmatch(field):
        raise StoreError(f"{field!r} is no name of a top-level field")


def _offence(value: Any, path: str, depth: int) -> str | None:
    """First thing in ``value`` that breaks the rules, in words; ``None`` when it is fine."""
    offence = None
    if isinstance(value, str):
        offence = _text_offence(value, path)
    elif isinstance(value, dict | list | tuple):
        offence = _nested_offence(value, path, depth)
    elif isinstance(value, float):
        offence = None if math.isfinite(value) else f"{path} = {value} is not finite"
    elif isinstance(value, int):
        offence = None if _INT_LOW <= value <= _INT_HIGH else f"{path} = {value} does not fit 64 bits"
    elif value is not None:
        offence = f"{path} is a {type(value).__name__}, which JSON has not"
    return offence


def _nested_offence(value: dict[Any, Any] | list[Any] | tuple[Any, ...], path: str, depth: int) -> str | None:
    if depth >= _MAX_DEPTH:
        return f"{path} nests deeper than {_MAX_DEPTH} levels"
    if isinstance(value, dict):
        return _mapping_offence(value, path, depth)
    return next(filter(None, (_offence(one, f"{path}[{i}]", depth + 1) for i, one in enumerate(value))), None)


def _mapping_offence(value: dict[Any, Any], path: str, depth: int) -> str | None:
    for key, inner in value.items():
        where = f"{path}.{key}" if path else str(key)
        if not isinstance(key, str):
            return f"{where} has a key that is no text"
        if not key or "." in key or "\0" in key or key.startswith("$"):
            return f"{where} has a key that is empty, holds '.' or NUL, or starts with '$'"
        offence = _text_offence(key, where) or _offence(inner, where, depth + 1)
        if offence:
            return offence
    return None


def _text_offence(text: str, path: str) -> str | None:
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{path} holds a lone surrogate, which is no valid text"
    return None

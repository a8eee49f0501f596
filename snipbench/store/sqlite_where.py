"""The port's conditions and sort keys as SQL over a column ``body`` of JSON texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_NUMBER = "('integer', 'real')"


def where_clause(where: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    """Checked conditions -> SQL that starts with ``WHERE`` (or nothing), and its parameters."""
    terms: list[str] = []
    parameters: list[Any] = []
    for field, value in (where or {}).items():
        term, given = _one_of(field, value if isinstance(value, list | tuple) else (value,))
        terms.append(term)
        parameters.extend(given)
    return (f"WHERE {' AND '.join(terms)}" if terms else ""), parameters


def order_clause(keys: Sequence[tuple[str, bool]]) -> str:
    """Checked sort keys as SQL; NULL (an absent field) sorts first in SQLite as the port wants it."""
    return "ORDER BY " + ", ".join(f"{expression(field)}{' DESC' if down else ''}" for field, down in keys)


def expression(field: str) -> str:
    """SQL for a top-level field's value; indexes are made on the very same text."""
    return "id" if field == "_id" else f"""json_extract(body, '$."{field}"')"""


def _one_of(field: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """A field equals one of the values. Types count: ``True`` is not 1, and a text is not a nested document's JSON."""
    kind = "'text'" if field == "_id" else f"""json_type(body, '$."{field}"')"""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    options: list[str] = []
    parameters: list[Any] = []
    for wanted, types in ((texts, "('text')"), (numbers, _NUMBER)):
        if len(wanted) == 1:
            options.append(f"({expression(field)} = ? AND {kind} IN {types})")
            parameters.append(wanted[0])
        elif wanted:
            options.append(f"({expression(field)} IN (SELECT value FROM json_each(?)) AND {kind} IN {types})")
            parameters.append(json.dumps(wanted, ensure_ascii=False))
    options.extend(f"{kind} = '{str(flag).lower()}'" for flag in (True, False) if any(v is flag for v in values))
    if any(value is None for value in values):
        options.append(f"{expression(field)} IS NULL")
    return f"({' OR '.join(options) or 'FALSE'})", parameters

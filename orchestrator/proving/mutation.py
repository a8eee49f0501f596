"""Statements that turn a copied table into a harder one, within what the database's own constraints allow.

Keys stay unique, columns that must not be NULL hold none, linked columns keep values that are found at the other side:
a rewrite may rely on what the database really guarantees, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.proving.relations import Column, Relation

EDGES: dict[str, tuple[str, ...]] = {
    "integer": ("-{c}", "0", "1", "{c} + 1", "7"),
    "numeric": ("-{c}", "0", "trunc({c}) + 0.5", "{c} + 0.01", "0.005", "2.5"),
    "float": ("-{c}", "0", "'-0'", "trunc({c}::numeric)::float8 + 0.5", "0.1", "1e15 + 0.3", "{c} + 1e-9"),
    "text": (
        *("upper({c})", "lower({c})", "{c} || ' '", "' ' || {c}", "''", "'10'", "'9'", "'007'", "'straße É'"),
        *("replace({c}, 'e', 'é')", "{c} || E'\\n'", "'a%_'", "initcap({c})"),
    ),
    "date": (
        "(date_trunc('month', {c}) + interval '1 month - 1 day')::date",
        "date_trunc('year', {c})::date",
        "(date_trunc('year', {c}) + interval '1 year - 1 day')::date",
        "date '2000-02-29'",
    ),
    "timestamp": (
        "date_trunc('day', {c})",
        "date_trunc('year', {c}) + interval '1 year' - interval '1 microsecond'",
        "{c} + interval '0.5 second'",
    ),
    "boolean": ("NOT {c}",),
}
"""Values at the edges, by class of type: signs, zero, halves, letter case, blanks, numbers in texts, ends of months."""

EXTREMES: dict[str, tuple[str, ...]] = {
    "int2": ("32767", "-32768"),
    "int4": ("2147483647", "-2147483648"),
    "int8": ("9223372036854775807", "-9223372036854775808"),
    "numeric": ("99999999999.99", "-99999999999.99", "99999.99"),
    "float4": ("'NaN'", "3e38", "'Infinity'"),
    "float8": ("'NaN'", "1e308", "'-Infinity'"),
    "varchar": ("repeat('x', 5000)",),
    "text": ("repeat('x', 5000)",),
    "date": ("date '1900-01-01'", "date '2199-12-31'"),
    "timestamp": ("timestamp '1900-01-01'", "timestamp '2199-12-31 23:59:59.999999'"),
}
"""Greatest and smallest values; few rows of each."""

CLASSES = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    "numeric": "numeric",
    **dict.fromkeys(("float4", "float8"), "float"),
    **dict.fromkeys(("text", "varchar", "bpchar"), "text"),
    "date": "date",
    **dict.fromkeys(("timestamp", "timestamptz"), "timestamp"),
    "bool": "boolean",
}


@dataclass(frozen=True, slots=True)
class Flavour:
    """What a mutated copy has beside duplicates and ties."""

    nulls: bool = False
    edges: bool = False
    extremes: bool = False


def statements(table: str, relation: Relation, flavour: Flavour, seed: int) -> Iterator[str]:
    """SQL that mutates ``table``, a copy of ``relation`` without indexes.

    A statement that a constraint refuses is to be passed over by itself.
    """
    yield _duplicates(table, relation, seed)
    yield from _beyond(table, relation, seed)
    for column in relation.columns:
        if column.key:
            continue
        yield _ties(table, column, seed)
        if flavour.edges and not column.linked:
            yield from _values(table, column, EDGES.get(CLASSES.get(column.type_name, ""), ()), 5, seed)
        if flavour.extremes and not column.linked:
            yield from _values(table, column, EXTREMES.get(column.type_name, ()), 1, seed + 1)
    for column in relation.columns:
        if flavour.nulls and column.nullable:
            yield f"UPDATE {table} SET {_quoted(column.name)} = NULL WHERE {_some(column.name, 'null', 12, seed)}"


def _duplicates(table: str, relation: Relation, seed: int) -> str:
    """Whole rows again; where the database keeps rows apart, rows that differ in nothing but their keys."""
    names = [_quoted(column.name) for column in relation.columns if not column.key]
    if not relation.has_key:
        return f"INSERT INTO {table} SELECT * FROM {table} t WHERE {_some('', 'duplicate', 20, seed, row='t')}"
    if not names:
        return f"ANALYZE {table}"  # nothing but keys: there are no duplicates to make
    taken = ", ".join(f"{name} = other.{name}" for name in names)
    return (
        f"WITH numbered AS (SELECT ctid AS place, row_number() OVER (ORDER BY hashtext(ctid::text || '{seed}'), ctid)"
        f" AS n FROM {table}) UPDATE {table} AS t SET {taken} FROM numbered a JOIN numbered b ON b.n = a.n + 1"
        f" JOIN {table} other ON other.ctid = b.place WHERE t.ctid = a.place AND a.n % 5 = 0"
    )


def _beyond(table: str, relation: Relation, seed: int) -> Iterator[str]:
    """Further rows with keys beyond those that there are, where whole numbers keep the rows apart.

    Who wrote the range of the keys or the number of the rows into a query finds the data grown.
    """
    moved = [
        column.name
        for column in relation.columns
        if column.key and not column.refers and CLASSES.get(column.type_name) == "integer"
    ]
    if not moved or any(key.isdisjoint(moved) for key in relation.keys):
        return
    names = ", ".join(_quoted(column.name) for column in relation.columns)
    values = ", ".join(
        f"{name} + (SELECT max({name}) - min({name}) + 1 FROM {table})" if column.name in moved else name
        for column in relation.columns
        for name in (_quoted(column.name),)
    )
    yield f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} t WHERE {_some('', 'beyond', 20, seed, row='t')}"


def _ties(table: str, column: Column, seed: int) -> str:
    name = _quoted(column.name)
    order = f"hashtext(ctid::text || 'tie{seed}'), ctid"
    common = f"(SELECT {name} FROM {table} WHERE {name} IS NOT NULL ORDER BY {order} LIMIT 1)"
    return f"UPDATE {table} SET {name} = {common} WHERE {_some(column.name, 'tie', 20, seed)} AND {common} IS NOT NULL"


def _values(table: str, column: Column, forms: tuple[str, ...], percent: int, seed: int) -> Iterator[str]:
    name = _quoted(column.name)
    for number, form in enumerate(forms):
        value = form.replace("{c}", name)
        if column.length is not None:
            value = f"left({value}, {column.length})"
        chosen = _some(column.name, f"value{number}", percent, seed)
        yield f"UPDATE {table} SET {name} = {value} WHERE {chosen} AND {name} IS NOT NULL"


def _some(column: str, purpose: str, percent: int, seed: int, row: str | None = None) -> str:
    """A condition that holds for about that share of the rows, each time the same ones."""
    salt = f"{seed}{purpose}{column}".replace("'", "''")
    place = "ctid" if row is None else f"{row}.ctid"
    return f"(hashtext({place}::text || '{salt}') & 1023) < {max(1, percent * 1024 // 100)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

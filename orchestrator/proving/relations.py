"""What a proof needs to know of a reference database's tables: columns, keys, which rows belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snipbench.errors import DatabaseError

if TYPE_CHECKING:
    import psycopg

Place = tuple[int, str]
"""A table's oid and the name of a column of it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``type_name`` is PostgreSQL's own (``int4``, ``bpchar``), of a domain its base's.

    ``length`` is the most characters of a ``varchar(n)`` or ``char(n)``. ``key``: part of a primary key or of a unique
    constraint or index; ``linked``: on either side of a foreign key; ``refers``: on its referring side, so that its
    values must be found elsewhere.
    """

    name: str
    type_name: str
    nullable: bool
    length: int | None
    key: bool
    linked: bool
    refers: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of the experiment. ``references``: ``(own column, table, its column)`` of every foreign key that leads,
    perhaps by way of other tables, to another table of the experiment. ``keys``: the columns of each unique index."""

    name: str
    oid: int
    qualified: str
    is_view: bool
    rows: int
    columns: tuple[Column, ...]
    references: tuple[tuple[str, str, str], ...]
    keys: tuple[frozenset[str], ...] = ()

    @property
    def has_key(self) -> bool:
        """Whether the database keeps its rows apart."""
        return any(column.key for column in self.columns)


def read_relations(session: psycopg.Connection[Any], names: Sequence[str]) -> tuple[Relation, ...]:
    """The tables of those names as an unqualified name finds them, those that refer to others first.

    Raises:
        DatabaseError: there is no such table.
    """
    oids = {name: _found(session, name) for name in names}
    links = _links(session)
    linked = {place for pair in links for place in pair}
    relations = []
    for name, oid in oids.items():
        qualified, kind = _one(
            session,
            "SELECT format('%%I.%%I', n.nspname, c.relname), c.relkind::text FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
            oid,
        )
        # Exact, and cheap enough: the planner's estimate of a table that nobody analysed is no number at all.
        (rows,) = _one(session, f"SELECT count(*) FROM {qualified}")
        relations.append(
            Relation(
                name=name,
                oid=oid,
                qualified=qualified,
                is_view=kind not in {"r", "p", "m"},
                rows=rows,
                columns=tuple(_columns(session, oid, linked, {own for own, _ in links})),
                references=tuple(_references(oid, oids, links)),
                keys=tuple(_keys(session, oid)),
            )
        )
    return _referring_first(relations)


def _found(session: psycopg.Connection[Any], name: str) -> int:
    (oid,) = _one(session, "SELECT to_regclass(quote_ident(%s))::oid", name)
    if oid is None:
        raise DatabaseError(f"the reference database has no table {name!r}")
    return int(oid)


def _columns(session: psycopg.Connection[Any], oid: int, linked: set[Place], refers: set[Place]) -> list[Column]:
    rows = session.execute(
        "SELECT a.attname, coalesce(b.typname, t.typname), NOT a.attnotnull AND NOT t.typnotnull,"
        " CASE WHEN coalesce(b.typname, t.typname) IN ('varchar', 'bpchar') AND a.atttypmod > 4"
        "  THEN a.atttypmod - 4 END,"
        " EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey))"
        " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype"
        " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (oid,),
    ).fetchall()
    return [
        Column(name, type_name, nullable, length, key, (oid, name) in linked, (oid, name) in refers)
        for name, type_name, nullable, length, key in rows
    ]


def _keys(session: psycopg.Connection[Any], oid: int) -> list[frozenset[str]]:
    """The columns of each unique index."""
    rows = session.execute(
        "SELECT array_agg(a.attname::text) FROM pg_index i"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
        " WHERE i.indrelid = %s AND i.indisunique GROUP BY i.indexrelid",
        (oid,),
    ).fetchall()
    return [frozenset(names) for (names,) in rows]


def _links(session: psycopg.Connection[Any]) -> list[tuple[Place, Place]]:
    """Every pair of columns that a foreign key ties."""
    rows = session.execute(
        "SELECT c.conrelid::oid, a.attname, c.confrelid::oid, b.attname FROM pg_constraint c"
        " CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k(own, other)"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own"
        " JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.other WHERE c.contype = 'f'"
    ).fetchall()
    return [((own, column), (other, key)) for own, column, other, key in rows]


def _references(oid: int, oids: dict[str, int], links: list[tuple[Place, Place]]) -> list[tuple[str, str, str]]:
    names = {found: name for name, found in oids.items()}
    reached: dict[tuple[str, Place], None] = {}
    fresh = [(own[1], other) for own, other in links if own[0] == oid]
    while fresh:
        start, place = fresh.pop()
        if (start, place) not in reached:
            reached[start, place] = None
            fresh += [(start, other) for own, other in links if own == place]
    return [(start, names[table], key) for start, (table, key) in reached if table in names and table != oid]


def _referring_first(relations: list[Relation]) -> tuple[Relation, ...]:
    """A table stands before those that it refers to; where they refer to each other, as given."""
    ordered: list[Relation] = []
    left = list(relations)
    while left:
        wanted = {target for relation in left for _, target, _ in relation.references}
        free = next((relation for relation in left if relation.name not in wanted), left[0])
        ordered.append(free)
        left.remove(free)
    return tuple(ordered)


def _one(session: psycopg.Connection[Any], query: str, *values: object) -> tuple[Any, ...]:
    found = session.execute(query.encode(), values or None).fetchone()
    if found is None:
        raise DatabaseError("the reference database does not know a table that it named itself")
    return tuple(found)

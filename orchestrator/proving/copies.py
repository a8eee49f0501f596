"""The copies of the data on which results are compared, beside each other in one clone.

Each copy is a schema with the experiment's tables. Which one is shown is decided by the search path of the snippets'
roles, so a session goes on with the same address, the same views, the same types, and other rows: an answer that was
kept from an earlier run is wrong from one statement to the next.

A role may always change its own settings. So the candidate has a role of its own: the search path that it gives itself
is not the original's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from analyzer.proof.planning import DataCopy
from orchestrator.databases import roles
from orchestrator.databases.port import Connection
from orchestrator.proving.mutation import Flavour, statements
from orchestrator.proving.relations import Relation, read_relations
from snipbench.errors import DatabaseError

if TYPE_CHECKING:
    import psycopg

SECOND_ROWS = 50_000
"""Most rows drawn of a table for the second copy; half of a smaller one."""
MUTATED_ROWS = 2_000
"""Most rows drawn of a table for a mutated copy."""
DISTURBED_ROWS = 200
"""A table with fewer rows is not disturbed between pairs: it would be empty before they are over."""
SMALL_ROWS = 20_000
"""Of a table with fewer rows every one is looked at for those to delete."""

FLAVOURS = {
    DataCopy.MUTATED: Flavour(nulls=True, edges=True),
    DataCopy.MUTATED_VALUES: Flavour(edges=True),
    DataCopy.MUTATED_NULLS: Flavour(nulls=True),
    DataCopy.MUTATED_ROWS: Flavour(),
    DataCopy.EXTREME: Flavour(nulls=True, edges=True, extremes=True),
}


class DataCopies:
    """The copies of one clone. Each is made when it is first shown."""

    def __init__(self, admin: Connection, run: Connection, tables: Sequence[str], *, seed: int) -> None:
        """
        Args:
            admin: the platform's way in.
            run: the original's way in; its user's search path is what :meth:`show` changes, and the candidate's.
            tables: names of the experiment's tables.
            seed: decides which rows are drawn and what is changed.
        """
        self._admin = admin
        self._run = run
        self._roles = [run.user]
        self._tables = tuple(dict.fromkeys(tables))
        self._seed = seed
        self._made: set[DataCopy] = set()
        self._relations: tuple[Relation, ...] | None = None

    def candidate(self) -> Connection:
        """The candidate's way in, by a role of its own that sees what the original's does. Called once.

        Raises:
            DatabaseError: the role could not be made, or the database is away.
        """
        run = self._run
        connection = Connection(run.host, run.port, run.database, roles.CANDIDATE, roles.new_password())
        with self._session() as session:
            roles.add_candidate(session, run.database, connection.password)
        self._roles.append(connection.user)
        return connection

    def show(self, copy: DataCopy) -> None:
        """Let new connections of the snippets' roles see this copy.

        Raises:
            DatabaseError: it could not be made, or the database is away.
        """
        with self._session() as session:
            if copy is DataCopy.CLONE:
                path = "DEFAULT"
            else:
                path = _schema(copy)
                if copy not in self._made:
                    with session.transaction():
                        self._make(session, copy)
                    self._made.add(copy)
            for role in self._roles:
                session.execute(
                    f"ALTER ROLE {role} IN DATABASE {_quoted(self._admin.database)} SET search_path = {path}".encode()
                )

    def disturb(self, number: int) -> int:
        """Delete a few rows of the clone's own tables: a thousandth, at least one, none of a very small table.

        Returns:
            How many rows: 0 where all tables are very small, or views.

        Raises:
            DatabaseError: the database is away.
        """
        deleted = 0
        with self._session() as session:
            # Rows that others refer to may go too: only this clone sees it, and each side sees the same.
            session.execute("SET session_replication_role = replica")
            for relation in self._read(session):
                if relation.is_view or relation.rows < DISTURBED_ROWS:
                    continue
                table, few = relation.qualified, max(1, relation.rows // 1000)
                salt = f"{self._seed}:{number}"
                chosen = f"SELECT ctid FROM {table} TABLESAMPLE BERNOULLI (1) ORDER BY hashtext(ctid::text || '{salt}')"
                if relation.rows < SMALL_ROWS:
                    chosen = f"SELECT ctid FROM {table} ORDER BY hashtext(ctid::text || '{salt}')"
                deleted += session.execute(
                    f"DELETE FROM {table} WHERE ctid IN ({chosen} LIMIT {few})".encode()
                ).rowcount
        return deleted

    def _read(self, session: psycopg.Connection[Any]) -> tuple[Relation, ...]:
        if self._relations is None:
            self._relations = read_relations(session, self._tables)
        return self._relations

    def _make(self, session: psycopg.Connection[Any], copy: DataCopy) -> None:
        schema = _schema(copy)
        session.execute(f"CREATE SCHEMA {schema}".encode())
        relations = self._read(session)
        for relation in relations:
            table = f"{schema}.{_quoted(relation.name)}"
            session.execute(f"CREATE UNLOGGED TABLE {table} (LIKE {relation.qualified} INCLUDING CONSTRAINTS)".encode())
            if copy is not DataCopy.EMPTY:
                session.execute(self._drawn(copy, table, relation).encode())
        if copy in FLAVOURS:
            for relation in relations:
                table = f"{schema}.{_quoted(relation.name)}"
                for statement in statements(table, relation, FLAVOURS[copy], self._seed):
                    _attempt(session, statement)
        readers = ", ".join(self._roles)
        session.execute(f"GRANT USAGE ON SCHEMA {schema} TO {readers}".encode())
        session.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {readers}".encode())

    def _drawn(self, copy: DataCopy, table: str, relation: Relation) -> str:
        """Rows drawn at random, and those that the rows of other copied tables refer to."""
        most = SECOND_ROWS if copy is DataCopy.SECOND else MUTATED_ROWS
        # A small table stays nearly whole in the mutated copies: too few rows would leave nothing to change.
        wanted = min(most, relation.rows // 2) if copy is DataCopy.SECOND else min(most, relation.rows)
        source = relation.qualified
        share = 100.0 if relation.rows == 0 else min(100.0, 100.0 * wanted / relation.rows)
        kept = " OR ".join(
            f"{_quoted(key)} IN (SELECT {_quoted(column)} FROM {_schema(copy)}.{_quoted(other.name)})"
            for other in self._relations or ()
            for column, target, key in other.references
            if target == relation.name
        )
        if relation.is_view:
            order = f"hashtext(v::text || '{self._seed}')"
            return f"INSERT INTO {table} SELECT * FROM {source} v ORDER BY {order} LIMIT {wanted}"
        drawn = f"SELECT ctid FROM {source} TABLESAMPLE BERNOULLI ({share:.6f}) REPEATABLE ({self._seed % 1000})"
        return f"INSERT INTO {table} SELECT * FROM {source} WHERE ctid IN ({drawn}){f' OR {kept}' if kept else ''}"

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[Any]]:
        import psycopg

        try:
            with psycopg.connect(
                **self._admin.parameters, autocommit=True, connect_timeout=10, application_name="snipbench-proof"
            ) as session:
                yield session
        except psycopg.Error as error:
            raise DatabaseError(f"a copy of the data could not be made: {str(error).strip()}") from error


def _attempt(session: psycopg.Connection[Any], statement: str) -> None:
    """Make a change unless a constraint or a type forbids it."""
    import psycopg

    try:
        with session.transaction():
            session.execute(statement.encode())
    except (psycopg.IntegrityError, psycopg.DataError):
        return  # the schema says that the data cannot be so


def _schema(copy: DataCopy) -> str:
    return f"snipbench_{copy.value}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

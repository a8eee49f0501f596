"""The document store in one SQLite file: a table per collection, each document a row of JSON text.

Write-ahead logging lets readers go on while one writes; every write is one immediate transaction, synced to disk
before the call returns. Each operation borrows a connection of its own, so threads and unfinished iterators never
share one; other processes open the same file with a store of their own (do not carry a store over a fork).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snipbench.errors import StoreAway, StoreError
from snipbench.store.port import Document
from snipbench.store.rules import check_collection, check_documents, check_order, check_where
from snipbench.store.sqlite_where import expression, order_clause, where_clause

FORMAT = 1
"""Number in the file's header; a file with another one is refused."""
_PAGE_ROWS = 500
_IDLE_CONNECTIONS = 8
_MAY_PASS = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM"})


class SqliteStore:
    """Implements :class:`snipbench.store.port.DocumentStore`.

    Args:
        path: the file; made when missing, with its folder.
        busy_seconds: how long a writer waits for another one before :class:`StoreAway`.

    Raises:
        StoreError: the file cannot be opened, or is not one of ours.
    """

    def __init__(self, path: Path | str, *, busy_seconds: float = 30.0) -> None:
        self.path = Path(path)
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._known: set[str] = set()
        self._closed = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the store's folder {self.path.parent}: {error.strerror}") from error
        with self._connection() as connection:
            self._prepare(connection)

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        """See the port."""
        check_collection(collection)
        check_documents(collection, documents)
        if not documents:
            return 0
        rows = [(document["_id"], _to_text(document)) for document in documents]
        with self._transaction(collection) as connection:
            added = connection.executemany(
                f'INSERT INTO "{collection}" (id, body) VALUES (?, ?) ON CONFLICT (id) DO NOTHING', rows
            ).rowcount
        return int(added)

    def get(self, collection: str, document_id: str) -> Document | None:
        """See the port."""
        return next(self.find(collection, {"_id": document_id}), None)

    def find(
        self,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: Sequence[str] = ("_id",),
        limit: int | None = None,
    ) -> Iterator[Document]:
        """See the port. What is given is the state at the call, whatever is written meanwhile."""
        check_collection(collection)
        check_where(where)
        order = order_clause(check_order(order_by))
        condition, parameters = where_clause(where)
        sql = f'SELECT body FROM "{collection}" {condition} {order} LIMIT ?'
        # The first page is read here: mistakes show at the call, and small answers give their connection back at once.
        pages = self._pages(collection, sql, [*parameters, -1 if limit is None else limit])
        first = next(pages, [])
        return _documents(first, pages)

    def find_lines(self, collection: str, where: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        """See :class:`snipbench.store.port.BulkReader`."""
        check_collection(collection)
        check_where(where)
        condition, parameters = where_clause(where)
        # As bytes: nobody here looks into the text, so nobody needs to decode it.
        sql = f'SELECT CAST(body AS BLOB) FROM "{collection}" {condition}'
        for page in self._pages(collection, sql, parameters):
            yield b"".join(line for (body,) in page for line in (body, b"\n"))

    def count(self, collection: str, where: Mapping[str, Any] | None = None) -> int:
        """See the port."""
        check_collection(collection)
        check_where(where)
        condition, parameters = where_clause(where)
        with self._connection() as connection:
            if not self._has(connection, collection):
                return 0
            row = connection.execute(f'SELECT count(*) FROM "{collection}" {condition}', parameters).fetchone()
        return int(row[0])

    def replace(self, collection: str, document: Document, *, expected_version: int | None) -> bool:
        """See the port."""
        check_collection(collection)
        version = 1 if expected_version is None else expected_version + 1
        stored = {**document, "version": version}
        check_documents(collection, [stored])
        text = _to_text(stored)
        with self._transaction(collection) as connection:
            if expected_version is None:
                done = connection.execute(
                    f'INSERT INTO "{collection}" (id, body) VALUES (?, ?) ON CONFLICT (id) DO NOTHING',
                    (stored["_id"], text),
                )
            else:
                done = connection.execute(
                    f'UPDATE "{collection}" SET body = ? WHERE id = ? AND {expression("version")} = ?',
                    (text, stored["_id"], expected_version),
                )
        return done.rowcount == 1

    def delete(self, collection: str, where: Mapping[str, Any]) -> int:
        """See the port."""
        check_collection(collection)
        if not where:
            raise ValueError("delete needs a condition; an empty one would remove everything")
        check_where(where)
        condition, parameters = where_clause(where)
        with self._connection() as connection:
            if not self._has(connection, collection):
                return 0
        with self._transaction(collection) as connection:
            return connection.execute(f'DELETE FROM "{collection}" {condition}', parameters).rowcount

    def collections(self) -> tuple[str, ...]:
        """See the port."""
        with self._connection() as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return tuple(
                sorted(n for n in names if connection.execute(f'SELECT EXISTS (SELECT 1 FROM "{n}")').fetchone()[0])
            )

    def close(self) -> None:
        """See the port. A connection that is in use closes when its operation ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _pages(self, collection: str, sql: str, parameters: list[Any]) -> Iterator[list[tuple[Any]]]:
        with self._connection() as connection:
            if not self._has(connection, collection):
                return
            cursor = connection.execute(sql, parameters)
            page = cursor.fetchmany(_PAGE_ROWS)
            while len(page) == _PAGE_ROWS:
                yield page
                page = cursor.fetchmany(_PAGE_ROWS)
        if page:
            yield page

    def _has(self, connection: sqlite3.Connection, collection: str) -> bool:
        if collection in self._known:
            return True
        found = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (collection,)
        ).fetchone()
        if found:
            self._known.add(collection)
        return found is not None

    @contextmanager
    def _transaction(self, collection: str) -> Iterator[sqlite3.Connection]:
        """A write, all or nothing; the collection's table is made in it where it is missing."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                missing = not self._has(connection, collection)
                if missing:
                    connection.execute(f'CREATE TABLE "{collection}" (id TEXT PRIMARY KEY, body TEXT NOT NULL)')
                    # Nearly every question is about one task.
                    connection.execute(
                        f'CREATE INDEX "{collection}_by_task" ON "{collection}" ({expression("task_id")}, id)'
                    )
                yield connection
                connection.execute("COMMIT")
                self._known.add(collection)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Borrow a connection; SQLite's errors leave as ours."""
        with self._lock:
            if self._closed:
                raise StoreError(f"the store {self.path} is closed")
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = self._connect()
            yield connection
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise _translated(error, self.path) from error
        except BaseException:
            # The operation was cut (a dropped iterator, an interrupt): its statement may still be open.
            if connection is not None:
                connection.close()
            raise
        with self._lock:
            keep = not self._closed and len(self._idle) < _IDLE_CONNECTIONS
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Mark a new file as ours and switch it to write-ahead logging; refuse a foreign one."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    connection.execute("PRAGMA journal_mode = WAL").fetchone()
                found = connection.execute("PRAGMA user_version").fetchone()[0]
                if found == 0:
                    self._mark(connection)
                elif found != FORMAT:
                    raise StoreError(f"{self.path} has format {found}; this version of snipbench reads {FORMAT}")
            except sqlite3.OperationalError as error:
                # Two processes that open a new file at once: SQLite refuses the switch without waiting.
                if _name(error).startswith("SQLITE_BUSY") and time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                raise
            return

    def _mark(self, connection: sqlite3.Connection) -> None:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            raise StoreError(f"{self.path} is a SQLite file, but not a store of snipbench")
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def _documents(first: list[tuple[str]], pages: Iterator[list[tuple[str]]]) -> Iterator[Document]:
    for (text,) in first:
        yield json.loads(text)
    for page in pages:
        for (text,) in page:
            yield json.loads(text)


def _to_text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _translated(error: sqlite3.Error, path: Path) -> StoreError:
    name = _name(error)
    kind = StoreAway if any(name.startswith(passing) for passing in _MAY_PASS) else StoreError
    return kind(f"the store {path}: {error}" + (f" ({name})" if name else ""))


def _name(error: sqlite3.Error) -> str:
    """SQLite's own name of the error; empty for those that Python's module raises by itself."""
    return getattr(error, "sqlite_errorname", "")

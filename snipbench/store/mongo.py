"""The document store in MongoDB: plain collections, our own ids, no server-side code, no transactions.

Time-series collections are no choice: they enforce no unique ``_id``. Writes wait for the majority and
the journal. The URL may hold a password, so it never enters a message.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pymongo
from bson.errors import BSONError
from pymongo import errors, uri_parser
from pymongo.collection import Collection

from snipbench.errors import StoreAway, StoreError, UsageError
from snipbench.store.port import Document
from snipbench.store.rules import check_collection, check_documents, check_order, check_where

_DUPLICATE_KEY = 11000
_MAY_PASS = (errors.ConnectionFailure, errors.ExecutionTimeout, errors.WTimeoutError, errors.WaitQueueTimeoutError)


class MongoStore:
    """Implements :class:`snipbench.store.port.DocumentStore`. The server is asked at once whether it is there.

    Args:
        url: ``mongodb://…``; options in it win over ours.
        database: its name; default is the one in the URL.
        away_seconds: how long a server may be looked for before :class:`StoreAway`.

    Raises:
        UsageError: the URL is broken, or no database is named.
        StoreAway: no server answers.
    """

    hidden: frozenset[str] = frozenset()
    """Collections that are the adapter's own."""

    def __init__(self, url: str, database: str | None = None, *, away_seconds: float = 5.0) -> None:
        try:
            parsed = uri_parser.parse_uri(url)
            if "@" in f"{parsed['database']}{parsed['collection']}":
                raise ValueError("a password with / in it is read as the database's name")
            name = database or parsed["database"]
            if not name:
                raise UsageError("the MongoDB URL names no database: end it with /NAME")
            self._name = f"{name} at {', '.join(f'{host}:{port}' for host, port in parsed['nodelist'])}"
            ours: dict[str, Any] = {
                "serverSelectionTimeoutMS": int(away_seconds * 1000),
                "w": "majority",
                "journal": True,
            }
            given = {option.lower() for option in parsed["options"]}
            self._client: pymongo.MongoClient[Document] = pymongo.MongoClient(
                url, appname="snipbench", **{key: value for key, value in ours.items() if key.lower() not in given}
            )
        except (errors.ConfigurationError, errors.InvalidURI, ValueError):
            # The driver's words may hold a part of the password.
            form = "mongodb://USER:PASSWORD@HOST:PORT/NAME"
            raise UsageError(f"the MongoDB URL is broken: {form}, with : / ? # @ % in a password as %XX") from None
        self._database = self._client[name]
        self._lock = threading.Lock()
        self._indexed: set[str] = set()
        self._closed = False
        try:
            with self._translated():
                self._client.admin.command("ping")
        except StoreError:
            self._client.close()
            raise

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        """See the port."""
        check_documents(collection, documents)
        if not documents:
            check_collection(collection)
            return 0
        with self._translated():
            try:
                rows = [self._encoded(document) for document in documents]
                return len(self._writable(collection).insert_many(rows, ordered=False).inserted_ids)
            except errors.BulkWriteError as error:
                failed = error.details.get("writeErrors", ())
                other = [one for one in failed if one.get("code") != _DUPLICATE_KEY]
                if other or error.details.get("writeConcernErrors"):
                    raise
                return int(error.details["nInserted"])

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
        """See the port."""
        check_where(where)
        order = [(field, pymongo.DESCENDING if down else pymongo.ASCENDING) for field, down in check_order(order_by)]
        with self._translated():
            cursor = self._collection(collection).find(_filter(where), sort=order, limit=limit or 0)
            # Asked for here, so that mistakes show at the call and not at the first use of the iterator.
            first = None if limit == 0 else next(cursor, None)
        return self._documents(first, cursor)

    def count(self, collection: str, where: Mapping[str, Any] | None = None) -> int:
        """See the port."""
        check_where(where)
        with self._translated():
            return self._collection(collection).count_documents(_filter(where))

    def replace(self, collection: str, document: Document, *, expected_version: int | None) -> bool:
        """See the port."""
        stored = {**document, "version": 1 if expected_version is None else expected_version + 1}
        check_documents(collection, [stored])
        with self._translated():
            self._writable(collection)
            if expected_version is None:
                return self._insert_one(collection, self._encoded(stored))
            return self._replace(collection, self._encoded(stored), expected_version)

    def delete(self, collection: str, where: Mapping[str, Any]) -> int:
        """See the port."""
        if not where:
            raise ValueError("delete needs a condition; an empty one would remove everything")
        check_where(where)
        with self._translated():
            return self._collection(collection).delete_many(_filter(where)).deleted_count

    def collections(self) -> tuple[str, ...]:
        """See the port."""
        with self._translated():
            names = set(self._database.list_collection_names()) - self.hidden
            return tuple(
                sorted(
                    name
                    for name in names
                    if not name.startswith("system.") and self._database[name].find_one({}, {"_id": 1}) is not None
                )
            )

    def close(self) -> None:
        """See the port."""
        self._closed = True
        self._client.close()

    def server_is_ferret(self) -> bool:
        """Whether FerretDB answers, which needs :class:`snipbench.store.ferret.FerretStore`."""
        with self._translated():
            return "ferretdbVersion" in self._client.admin.command("buildInfo")

    def _insert_one(self, collection: str, document: Document) -> bool:
        """Add one document; False: its ``_id`` is there already. Atomic."""
        try:
            self._database[collection].insert_one(document)
        except errors.DuplicateKeyError:
            return False
        return True

    def _replace(self, collection: str, stored: Document, expected_version: int) -> bool:
        """Compare and set, atomically."""
        found = {"_id": stored["_id"], "version": expected_version}
        return self._database[collection].replace_one(found, stored).matched_count == 1

    def _encoded(self, document: Mapping[str, Any]) -> Document:
        """Document -> what the server stores."""
        return dict(document)

    def _decoded(self, document: Document) -> Document:
        """Inverse of :meth:`_encoded`."""
        return document

    def _documents(self, first: Document | None, cursor: Iterator[Document]) -> Iterator[Document]:
        document = first
        while document is not None:
            yield self._decoded(document)
            with self._translated():
                document = next(cursor, None)

    def _collection(self, name: str) -> Collection[Document]:
        check_collection(name)
        return self._database[name]

    def _writable(self, name: str) -> Collection[Document]:
        """The collection, with the index that nearly every question needs (about one task)."""
        collection = self._collection(name)
        with self._lock:
            missing = name not in self._indexed
        if missing:
            collection.create_index([("task_id", pymongo.ASCENDING), ("_id", pymongo.ASCENDING)])
            with self._lock:
                self._indexed.add(name)
        return collection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """pymongo's errors leave as ours."""
        if self._closed:
            raise StoreError(f"the store {self._name} is closed")
        try:
            yield
        except _MAY_PASS as error:
            raise StoreAway(f"the store {self._name}: {_first_line(error)}") from error
        except (errors.PyMongoError, BSONError) as error:
            raise StoreError(f"the store {self._name}: {_first_line(error)}") from error


def _filter(where: Mapping[str, Any] | None) -> dict[str, Any]:
    """Checked conditions in MongoDB's words. There, an array matches when an element does; here it must not."""
    return {
        field: {"$in": list(value) if isinstance(value, list | tuple) else [value], "$not": {"$type": "array"}}
        if field != "_id"
        else {"$in": list(value) if isinstance(value, list | tuple) else [value]}
        for field, value in (where or {}).items()
    }


def _first_line(error: Exception) -> str:
    # The text of a bulk error repeats whole documents.
    failed = error.details.get("writeErrors") if isinstance(error, errors.BulkWriteError) else None
    return (failed[0]["errmsg"] if failed else str(error)).partition("\n")[0][:500]

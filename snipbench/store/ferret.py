"""What FerretDB 1 needs beside MongoDB's protocol: a compare-and-set of our own, and no array inside an array.

FerretDB reads, compares and then writes by ``_id`` alone, so of two writers that saw the same version both "win"
(8 threads × 40 increments left 56). Inserting a unique ``_id`` is atomic there, so whoever may write version n + 1 is
decided by inserting the document ``collection/id@n#1`` into ``claims``. A claim whose owner died is overtaken after
``CLAIM_SECONDS`` by inserting ``#2``, and so on; an owner that was stalled that long gives up before it writes. A claim
that we left when the connection broke is known to be nobody's, and overtaken at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo import errors

from snipbench.errors import StoreAway
from snipbench.store.mongo import MongoStore
from snipbench.store.port import Document

CLAIMS = "claims"
CLAIM_SECONDS = 10.0
_SAFE_SECONDS = CLAIM_SECONDS / 2
_ARRAY = "array of arrays"
"""The only key of an object that stands for an array inside an array."""


class FerretStore(MongoStore):
    """Implements :class:`snipbench.store.port.DocumentStore` on FerretDB 1."""

    hidden = frozenset({CLAIMS})

    def __init__(self, url: str, database: str | None = None, *, away_seconds: float = 5.0) -> None:
        self._left: set[str] = set()
        super().__init__(url, database, away_seconds=away_seconds)

    def _replace(self, collection: str, stored: Document, expected_version: int) -> bool:
        subject, started = f"{collection}/{stored['_id']}", time.monotonic()
        if not self._is_at(collection, stored["_id"], expected_version):
            return False
        claim = self._claim(subject, expected_version)
        if claim is None:
            return False
        done = False
        claims = [_claim_id(subject, expected_version, number + 1) for number in range(claim)]
        with self._leaving(claims[-1]):
            if self._is_at(collection, stored["_id"], expected_version):
                if time.monotonic() - started > _SAFE_SECONDS:
                    raise StoreAway(f"the store {self._name}: too slow to replace {subject} safely")
                done = super()._replace(collection, stored, expected_version)
            self._database[CLAIMS].delete_many({"_id": {"$in": claims}})
        self._left.difference_update(claims)
        return done

    def _is_at(self, collection: str, document_id: str, version: int) -> bool:
        return self._database[collection].find_one({"_id": document_id, "version": version}, {"_id": 1}) is not None

    def _claim(self, subject: str, version: int) -> int | None:
        """Number of our claim on writing the version after this one; ``None``: a living writer was first."""
        number = 1
        while True:
            name = _claim_id(subject, version, number)
            found = self._database[CLAIMS].find_one({"_id": name})
            if found is None:
                with self._leaving(name):
                    return number if self._insert_one(CLAIMS, {"_id": name, "at": time.time()}) else None
            if name not in self._left and time.time() - found["at"] < CLAIM_SECONDS:
                return None
            number += 1

    @contextmanager
    def _leaving(self, claim: str) -> Iterator[None]:
        """A claim of ours is nobody's once the connection broke under it: what it was for has failed by then."""
        try:
            yield
        except errors.ConnectionFailure:
            self._left.add(claim)
            raise

    def _encoded(self, document: Mapping[str, Any]) -> Document:
        return {key: _wrapped(value, inside=False) for key, value in document.items()}

    def _decoded(self, document: Document) -> Document:
        return {key: _unwrapped(value) for key, value in document.items()}


def _claim_id(subject: str, version: int, number: int) -> str:
    return f"{subject}@{version}#{number}"


def _wrapped(value: Any, *, inside: bool) -> Any:
    if isinstance(value, list | tuple):
        inner = [_wrapped(one, inside=True) for one in value]
        return {_ARRAY: inner} if inside else inner
    if isinstance(value, dict):
        return {key: _wrapped(one, inside=False) for key, one in value.items()}
    return value


def _unwrapped(value: Any) -> Any:
    if isinstance(value, list):
        return [_unwrapped(one) for one in value]
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return _unwrapped(value[_ARRAY])
        return {key: _unwrapped(one) for key, one in value.items()}
    return value

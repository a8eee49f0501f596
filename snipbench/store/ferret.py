"""What FerretDB 1 needs beside MongoDB's protocol: a compare-and-set of our own, and no array inside an array.

FerretDB reads, compares and then writes by ``_id`` alone, so of two writers that saw the same version both "win"
(8 threads × 40 increments left 56). Inserting a unique ``_id`` is atomic there, so whoever may write version n + 1 is
decided by inserting the document ``collection/id@n#1`` into ``claims``. A claim whose owner died is overtaken after
``CLAIM_SECONDS`` by inserting ``#2``, and so on; an owner that was stalled that long gives up before it writes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

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

    def _replace(self, collection: str, stored: Document, expected_version: int) -> bool:
        subject, started = f"{collection}/{stored['_id']}", time.monotonic()
        if not self._is_at(collection, stored["_id"], expected_version):
            return False
        claim = self._claim(subject, expected_version)
        if claim is None:
            return False
        done = False
        if self._is_at(collection, stored["_id"], expected_version):
            if time.monotonic() - started > _SAFE_SECONDS:
                raise StoreAway(f"the store {self._name}: too slow to replace {subject} safely")
            done = super()._replace(collection, stored, expected_version)
        self._database[CLAIMS].delete_many(
            {"_id": {"$in": [_claim_id(subject, expected_version, n + 1) for n in range(claim)]}}
        )
        return done

    def _is_at(self, collection: str, document_id: str, version: int) -> bool:
        return self._database[collection].find_one({"_id": document_id, "version": version}, {"_id": 1}) is not None

    def _claim(self, subject: str, version: int) -> int | None:
        """Number of our claim on writing the version after this one; ``None``: a living writer was first."""
        number = 1
        while True:
            found = self._database[CLAIMS].find_one({"_id": _claim_id(subject, version, number)})
            if found is None:
                mine = {"_id": _claim_id(subject, version, number), "at": time.time()}
                return number if self._insert_one(CLAIMS, mine) else None
            if time.time() - found["at"] < CLAIM_SECONDS:
                return None
            number += 1

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

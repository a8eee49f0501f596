"""A store that may be away for a moment: asked again until it is back, so that whoever works with it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from snipbench.clock import Clock, SystemClock
from snipbench.errors import StoreAway
from snipbench.store.port import Document, DocumentStore

PATIENCE_SECONDS = 10.0
"""Shorter than a lease: a store that is away for longer is told to whoever asked."""
PAUSE_SECONDS = 0.1

T = TypeVar("T")


class PatientStore:
    """Implements :class:`snipbench.store.port.DocumentStore` on another one, which closes with it.

    A call that may or may not have arrived before the store went is made again; what stands there by then counts as
    this call's when it is the very same. Only how many documents a repeated ``delete`` removed cannot be told. An
    iteration that breaks later on is not begun anew.

    Args:
        store: what is asked.
        clock: measures patience.
        patience_seconds: for how long a call is made again before :class:`StoreAway` is let out.
    """

    def __init__(
        self, store: DocumentStore, clock: Clock | None = None, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._patience = patience_seconds

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        """See the port."""
        new, again = self._patiently(lambda: self._store.insert(collection, documents))
        if not again or new == len(documents):
            return new
        return sum(self._stands(collection, document) for document in documents)

    def get(self, collection: str, document_id: str) -> Document | None:
        """See the port."""
        return self._patiently(lambda: self._store.get(collection, document_id))[0]

    def find(
        self,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: Sequence[str] = ("_id",),
        limit: int | None = None,
    ) -> Iterator[Document]:
        """See the port."""
        return self._patiently(lambda: self._store.find(collection, where, order_by=order_by, limit=limit))[0]

    def count(self, collection: str, where: Mapping[str, Any] | None = None) -> int:
        """See the port."""
        return self._patiently(lambda: self._store.count(collection, where))[0]

    def replace(self, collection: str, document: Document, *, expected_version: int | None) -> bool:
        """See the port."""
        done, again = self._patiently(
            lambda: self._store.replace(collection, document, expected_version=expected_version)
        )
        if done or not again:
            return done
        version = 1 if expected_version is None else expected_version + 1
        return self._stands(collection, {**document, "version": version})

    def delete(self, collection: str, where: Mapping[str, Any]) -> int:
        """See the port."""
        return self._patiently(lambda: self._store.delete(collection, where))[0]

    def collections(self) -> tuple[str, ...]:
        """See the port."""
        return self._patiently(self._store.collections)[0]

    def close(self) -> None:
        """See the port."""
        self._store.close()

    def _patiently(self, call: Callable[[], T]) -> tuple[T, bool]:
        """What the call gave, and whether it was made more than once."""
        again, deadline = False, self._clock.monotonic() + self._patience
        while True:
            try:
                return call(), again
            except StoreAway:
                if self._clock.monotonic() >= deadline:
                    raise
            again = True
            self._clock.sleep(PAUSE_SECONDS)

    def _stands(self, collection: str, document: Document) -> bool:
        """Whether the very same document is there."""
        found = self.get(collection, str(document["_id"]))
        return found is not None and _text(found) == _text(document)


def _text(document: Document) -> str:
    """As JSON, in which a tuple and a list are one."""
    return json.dumps(document, sort_keys=True)

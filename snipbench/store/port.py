"""The document store: where orders, tasks, events, runs and samples live while they are made.

A document is a JSON object with a string ``_id``. So that one contract fits SQLite and MongoDB alike: keys hold no
``.`` and start with no ``$``; numbers are finite; instants are ISO 8601 texts; integers fit 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

Document = dict[str, Any]


class DocumentStore(Protocol):
    """Port; implementations in ``snipbench.store.sqlite`` and ``.mongo``. Safe to use from several threads."""

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        """Add documents; those whose ``_id`` is there already are left as they are. Durable on return.

        Returns:
            How many were new.

        Raises:
            StoreError: a document breaks the rules above (nothing of the call is stored), or the store is away.
        """
        ...

    def get(self, collection: str, document_id: str) -> Document | None:
        """The document of that id."""
        ...

    def find(
        self,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: Sequence[str] = ("_id",),
        limit: int | None = None,
    ) -> Iterator[Document]:
        """Documents whose top-level fields equal ``where`` (a list or tuple value means "one of").

        ``order_by`` names top-level fields; a leading ``-`` reverses. Absent fields equal ``None`` and sort first.
        """
        ...

    def count(self, collection: str, where: Mapping[str, Any] | None = None) -> int:
        """How many documents :meth:`find` would give."""
        ...

    def replace(self, collection: str, document: Document, *, expected_version: int | None) -> bool:
        """Compare and set: store ``document`` with ``version`` = ``expected_version + 1``.

        With ``None`` the document must not exist yet (version becomes 1). False: somebody else was first.
        """
        ...

    def delete(self, collection: str, where: Mapping[str, Any]) -> int:
        """Remove what :meth:`find` would give; returns how many. An empty ``where`` is refused (ValueError)."""
        ...

    def collections(self) -> tuple[str, ...]:
        """Names of the collections that hold documents, sorted."""
        ...

    def close(self) -> None:
        """Release files and connections; using the store afterwards raises StoreError."""
        ...


@runtime_checkable
class BulkReader(Protocol):
    """What a store may offer beyond the port: documents as JSON lines, unparsed, for reading a great many of them."""

    def find_lines(self, collection: str, where: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        """What :meth:`DocumentStore.find` would give, in any order: chunks of whole lines, a document each, UTF-8."""
        ...

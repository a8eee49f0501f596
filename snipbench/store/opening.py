"""Address -> store: the one place that knows which adapter an address means."""

from __future__ import annotations

from snipbench.errors import MachineError
from snipbench.store.port import DocumentStore


def open_store(address: str) -> DocumentStore:
    """Open the store of an address: ``mongodb://host:port/database`` or the path of a SQLite file.

    Raises:
        UsageError: a MongoDB URL that is broken or names no database.
        MachineError: a MongoDB URL, but pymongo is not installed.
        StoreError: the store is away, or is not one of ours.
    """
    if address.startswith(("mongodb://", "mongodb+srv://")):
        try:
            from snipbench.store.ferret import FerretStore
            from snipbench.store.mongo import MongoStore
        except ImportError as error:
            raise MachineError("a MongoDB store needs pymongo: install snipbench[services]") from error
        store = MongoStore(address)
        if not store.server_is_ferret():
            return store
        store.close()
        return FerretStore(address)
    from snipbench.store.sqlite import SqliteStore

    return SqliteStore(address)

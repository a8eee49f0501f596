"""The initializer on a real HTTP server of this process, and a caller that submits an order before it asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from orchestrator.api.serving import listening
from orchestrator.databases.port import DatabaseProvider, Prototype, ReferenceDatabase
from orchestrator.databases.remote import RemoteProvider
from orchestrator.initializer.app import Initializer, create_app
from orchestrator.initializer.requests import Requests
from orchestrator.intake import inlined, new_ids, take_in
from orchestrator.leading.parts import Home
from orchestrator.settings import Secret
from snipbench import records
from snipbench.clock import SystemClock
from snipbench.domain.order import Database
from snipbench.store.port import DocumentStore
from snipbench.store.sqlite import SqliteStore
from tests.orders import ONE_SUM

TOKEN = "a-token-of-the-tests"


class Submitting(RemoteProvider):
    """Stores an order with the database under the owner's id before it asks: the initializer reads nothing else."""

    def __init__(self, url: str, store: DocumentStore) -> None:
        super().__init__(url, TOKEN, patience_seconds=5)
        self.url = url
        self._store = store

    def prepare(self, database: Database, base: Path, *, owner: str | None = None) -> Prototype:
        owner = owner or "task-prepared"
        self._submit(owner, database)
        return super().prepare(database, base, owner=owner)

    def clone(
        self, prototype: Prototype, database: Database, *, owner: str, tables: Sequence[str] | None = None
    ) -> ReferenceDatabase:
        self._submit(owner, database)
        return super().clone(prototype, database, owner=owner, tables=tables)

    def _submit(self, task_id: str, database: Database) -> None:
        self._store.delete("tasks", {"_id": task_id})
        clock = SystemClock()
        order_id, _ = new_ids(clock)
        take_in(self._store, clock, inlined(ONE_SUM), {}, (order_id, task_id))
        stored = self._store.get("orders", order_id)
        assert stored is not None
        order = records.order_from_document(stored).order.model_copy(update={"databases": (database,)})
        self._store.delete("orders", {"_id": order_id})
        self._store.insert("orders", [{**stored, "order": order.model_dump_json(by_alias=True)}])


@contextmanager
def initializer_server(provider: DatabaseProvider, directory: Path) -> Iterator[Submitting]:
    """Serve ``provider`` until left."""
    store = SqliteStore(directory / "store.sqlite")
    requests = Requests()
    parts = Initializer(provider, store, Home(directory), Secret(TOKEN), requests)
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(parts), log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Submitting(f"http://127.0.0.1:{listener.getsockname()[1]}", store)
        finally:
            server.should_exit = True
            thread.join()
            requests.close()
            store.close()

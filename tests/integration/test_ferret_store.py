"""What FerretDB's compare-and-set of our own does when a writer dies half way."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pymongo
import pytest

from snipbench.errors import StoreAway
from snipbench.store.ferret import FerretStore
from snipbench.store.mongo import MongoStore
from snipbench.store.opening import open_store
from snipbench.store.port import DocumentStore

pytestmark = pytest.mark.ferretdb


@pytest.fixture
def name() -> str:
    return f"snipbench_test_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def store(mongo_server: str, name: str) -> Iterator[DocumentStore]:
    store = open_store(f"{mongo_server}/{name}")
    assert isinstance(store, FerretStore)
    yield store
    store.close()
    with pymongo.MongoClient(mongo_server) as client:
        client.drop_database(name)


def test_the_claim_of_a_dead_writer_is_respected_for_a_while_and_then_overtaken(
    store: DocumentStore, mongo_server: str, name: str
) -> None:
    store.replace("tasks", {"_id": "a", "n": 1}, expected_version=None)
    with pymongo.MongoClient(mongo_server) as client:
        claims = client[name]["claims"]
        claims.insert_one({"_id": "tasks/a@1#1", "at": time.time()})
        assert not store.replace("tasks", {"_id": "a", "n": 2}, expected_version=1)
        claims.replace_one({"_id": "tasks/a@1#1"}, {"_id": "tasks/a@1#1", "at": time.time() - 60})
        assert store.replace("tasks", {"_id": "a", "n": 2}, expected_version=1)
        assert claims.count_documents({}) == 0
    assert store.get("tasks", "a") == {"_id": "a", "n": 2, "version": 2}
    assert store.collections() == ("tasks",)


def test_a_claim_that_was_left_when_the_connection_broke_keeps_nobody_waiting(
    store: DocumentStore, mongo_server: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.replace("tasks", {"_id": "a", "n": 1}, expected_version=None)

    def broken(*_: object) -> bool:
        raise pymongo.errors.AutoReconnect("connection closed")

    with monkeypatch.context() as breaking:
        breaking.setattr(MongoStore, "_replace", broken)
        with pytest.raises(StoreAway):
            store.replace("tasks", {"_id": "a", "n": 2}, expected_version=1)
    assert store.replace("tasks", {"_id": "a", "n": 2}, expected_version=1)
    with pymongo.MongoClient(mongo_server) as client:
        assert client[name]["claims"].count_documents({}) == 0

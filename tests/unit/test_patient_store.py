"""What works with a store that goes away for a moment goes on, as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from snipbench.errors import StoreAway, StoreError
from snipbench.store.patient import PatientStore
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore


class Time:
    """Passes when it is slept through."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Breaking(SqliteStore):
    """Its connection breaks: before so many calls arrive, or after one has, so that the reply is lost."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.before = self.after = 0

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        self._refuse()
        new = super().insert(collection, documents)
        self._lose_reply()
        return new

    def replace(self, collection: str, document: Document, *, expected_version: int | None) -> bool:
        self._refuse()
        done = super().replace(collection, document, expected_version=expected_version)
        self._lose_reply()
        return done

    def count(self, collection: str, where: Mapping[str, Any] | None = None) -> int:
        self._refuse()
        return super().count(collection, where)

    def _refuse(self) -> None:
        if self.before:
            self.before -= 1
            raise StoreAway("connection refused")

    def _lose_reply(self) -> None:
        if self.after:
            self.after -= 1
            raise StoreAway("connection closed")


@pytest.fixture
def breaking(tmp_path: Path) -> Iterator[Breaking]:
    store = Breaking(tmp_path / "store.sqlite")
    yield store
    store.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(breaking: Breaking, time: Time) -> PatientStore:
    return PatientStore(breaking, time)


def test_a_store_that_comes_back_in_time_is_not_noticed(store: PatientStore, breaking: Breaking) -> None:
    breaking.before = 5
    assert store.insert("runs", [{"_id": "a", "n": 1}]) == 1
    breaking.before = 5
    assert store.count("runs") == 1


def test_one_that_stays_away_is_told_after_a_while(store: PatientStore, breaking: Breaking, time: Time) -> None:
    breaking.before = 1_000_000
    with pytest.raises(StoreAway):
        store.count("runs")
    assert 10 <= time.seconds < 11


def test_an_insert_whose_reply_was_lost_counts_once(store: PatientStore, breaking: Breaking) -> None:
    store.insert("runs", [{"_id": "b", "n": 0}])
    breaking.after = 1
    assert store.insert("runs", [{"_id": "a", "n": (1, 2)}, {"_id": "b", "n": 9}]) == 1
    assert list(store.find("runs")) == [{"_id": "a", "n": [1, 2]}, {"_id": "b", "n": 0}]


def test_an_insert_that_another_one_made_first_is_not_taken_for_ours(store: PatientStore, breaking: Breaking) -> None:
    breaking.before = 1
    SqliteStore.insert(breaking, "runs", [{"_id": "a", "n": 2}])
    assert store.insert("runs", [{"_id": "a", "n": 1}]) == 0


def test_a_replacement_whose_reply_was_lost_was_made(store: PatientStore, breaking: Breaking) -> None:
    breaking.after = 1
    assert store.replace("tasks", {"_id": "a", "n": 1}, expected_version=None)
    breaking.after = 1
    assert store.replace("tasks", {"_id": "a", "n": 2}, expected_version=1)
    assert store.get("tasks", "a") == {"_id": "a", "n": 2, "version": 2}


def test_a_replacement_that_another_one_made_first_was_not(store: PatientStore, breaking: Breaking) -> None:
    store.replace("tasks", {"_id": "a", "n": 1}, expected_version=None)
    breaking.before = 1
    SqliteStore.replace(breaking, "tasks", {"_id": "a", "n": 3}, expected_version=1)
    assert not store.replace("tasks", {"_id": "a", "n": 2}, expected_version=1)


def test_what_cannot_pass_is_told_at_once(store: PatientStore, breaking: Breaking, time: Time) -> None:
    breaking.close()
    with pytest.raises(StoreError):
        store.get("runs", "a")
    assert time.seconds == 0

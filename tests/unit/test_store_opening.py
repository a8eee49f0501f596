"""Addresses of stores that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from snipbench.errors import StoreAway, UsageError
from snipbench.store.opening import open_store
from snipbench.store.sqlite import SqliteStore


def test_a_path_is_a_sqlite_file(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "a" / "store.sqlite"))
    assert isinstance(store, SqliteStore)
    assert (tmp_path / "a" / "store.sqlite").exists()


@pytest.mark.parametrize("url", ["mongodb://", "mongodb://host:port/db", "mongodb://127.0.0.1/", "mongodb://u@p@h/db"])
def test_a_broken_url_is_wrong_use(url: str) -> None:
    with pytest.raises(UsageError, match="MongoDB URL"):
        open_store(url)


@pytest.mark.parametrize("url", ["mongodb://u:pw/canary@host:27017/db", "mongodb://u:1/canary.x@127.0.0.1:9/db"])
def test_a_broken_url_is_told_without_any_part_of_its_password(url: str) -> None:
    with pytest.raises(UsageError, match="MongoDB URL is broken") as caught:
        open_store(url)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    with pytest.raises(StoreAway, match=r"db at 127\.0\.0\.1:1") as caught:
        open_store("mongodb://user:hunter2@127.0.0.1:1/db?serverSelectionTimeoutMS=50")
    assert caught.value.retryable
    assert "hunter2" not in str(caught.value)

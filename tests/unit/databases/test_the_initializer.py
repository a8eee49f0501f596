"""What the initializer lets a caller ask for, over real HTTP; the provider behind it only notes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from orchestrator.databases.port import DatabaseProvider, Prototype, ReferenceDatabase
from orchestrator.databases.remote import RemoteProvider
from snipbench.clock import SystemClock
from snipbench.domain.order import Database, Tpch
from snipbench.errors import DatabaseError, UsageError
from tests.servers.initializer_server import TOKEN, Submitting, initializer_server


class Noting:
    """Notes what it is asked for; never finishes before it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.finish = threading.Event()
        self.finish.set()

    def prepare(self, database: Database, base: Path, *, owner: str | None = None) -> Prototype:
        self.asked.append(f"prepare {database.name} {database.image} for {owner}")
        assert self.finish.wait(60)
        return Prototype("key", "hash", Path("/nowhere"), "manifest", "16.4", 1, built=True)

    def clone(
        self, prototype: Prototype, database: Database, *, owner: str, tables: Sequence[str] | None = None
    ) -> ReferenceDatabase:
        raise DatabaseError(f"no room for {owner}, which reads {tables}")

    def release(self, clone_id: str) -> None:
        self.asked.append(f"release {clone_id}")


@pytest.fixture
def behind() -> Noting:
    return Noting()


@pytest.fixture
def remote(behind: Noting, tmp_path: Path) -> Iterator[Submitting]:
    with initializer_server(cast(DatabaseProvider, behind), tmp_path) as served:
        yield served


def shop(**changes: Any) -> Database:
    return Database(name="shop", dataset=Tpch(generator="tpch", scale=0.01), **changes)


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}"])
def test_nothing_is_done_without_the_token(remote: Submitting, behind: Noting, token: str) -> None:
    for method, path in [
        ("POST", "/prototypes"),
        ("GET", "/prototypes"),
        ("POST", "/clones"),
        ("GET", "/clones"),
        ("GET", "/clones/clone-1"),
        ("DELETE", "/clones/clone-1"),
        ("GET", "/requests/request-1"),
        ("DELETE", "/prototypes/key"),
    ]:
        answer = httpx.request(method, f"{remote.url}{path}", headers={"Authorization": token}, json={})
        assert answer.status_code == 401, path
        assert TOKEN not in answer.text
    assert behind.asked == []


def test_what_is_made_is_what_the_stored_order_says_whatever_the_caller_does(
    remote: Submitting, behind: Noting
) -> None:
    remote.prepare(shop(), Path(), owner="task-1")
    plain = RemoteProvider(remote.url, TOKEN)
    plain.prepare(shop(image="evil:latest"), Path("/etc"), owner="task-1")
    assert behind.asked == ["prepare shop postgres:16 for task-1"] * 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"image": "evil:latest"}, 422),
        ({"base": "/etc"}, 422),
        ({"task_id": "../task-1"}, 422),
        ({"request_id": "a/b"}, 422),
        ({"tables": ["lineitem; drop"] * 20_000}, 413),
    ],
)
def test_paths_and_options_are_refused(remote: Submitting, body: dict[str, Any], status: int) -> None:
    given = {"request_id": "request-1", "task_id": "task-1", "database": "shop"} | body
    answer = httpx.post(f"{remote.url}/clones", headers={"Authorization": f"Bearer {TOKEN}"}, json=given)
    assert answer.status_code == status


def test_names_that_the_order_does_not_know_are_refused(remote: Submitting) -> None:
    prototype = remote.prepare(shop(), Path(), owner="task-1")
    plain = RemoteProvider(remote.url, TOKEN)
    with pytest.raises(UsageError, match="there is no task 'task-2'"):
        plain.prepare(shop(), Path(), owner="task-2")
    with pytest.raises(UsageError, match="there is no database 'other'"):
        plain.prepare(Database(name="other", dataset=shop().dataset), Path(), owner="task-1")
    with pytest.raises(UsageError, match="reads no table 'pg_authid'"):
        plain.clone(prototype, shop(), owner="task-1", tables=["pg_authid"])
    with pytest.raises(DatabaseError, match=r"no room for task-1, which reads \['lineitem'\]"):
        plain.clone(prototype, shop(), owner="task-1", tables=["lineitem"])


@pytest.mark.parametrize("clone_id", ["..", "../prototypes", "a/b", "", "clone 1", "clöne"])
def test_no_name_leads_out_of_the_clones(remote: Submitting, behind: Noting, clone_id: str) -> None:
    with pytest.raises(DatabaseError):
        remote.release(clone_id)
    httpx.delete(f"{remote.url}/clones/..%2f..", headers={"Authorization": f"Bearer {TOKEN}"})
    assert behind.asked == []


def test_a_request_is_done_once_however_often_it_is_sent(remote: Submitting, behind: Noting) -> None:
    remote.prepare(shop(), Path(), owner="task-1")
    behind.asked.clear()
    behind.finish.clear()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"request_id": "request-1", "task_id": "task-1", "database": "shop"}
    for _ in range(3):
        assert httpx.post(f"{remote.url}/prototypes", headers=headers, json=body).status_code == 202
    asking = f"{remote.url}/requests/request-1?seconds=0"
    assert httpx.get(asking, headers=headers).json() == {"state": "running"}
    behind.finish.set()
    told = httpx.get(f"{remote.url}/requests/request-1?seconds=20", headers=headers).json()
    assert (told["state"], told["document"]["prototype_key"]) == ("done", "key")
    assert len(behind.asked) == 1


def test_an_initializer_that_is_not_there_is_waited_for_and_then_told_of() -> None:
    remote = RemoteProvider("http://127.0.0.1:9", TOKEN, SystemClock(), patience_seconds=0.1)
    with pytest.raises(DatabaseError, match="initializer is not to be reached"):
        remote.find("clone-1")

"""Servers of clones, and several builders of prototypes."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from orchestrator.databases import roles
from orchestrator.databases.account import server_account
from orchestrator.databases.cloning import CopyFiles, copy_tree
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.install import find_install
from orchestrator.databases.port import Connection, Prototype
from orchestrator.databases.processes import processes_of
from orchestrator.databases.server import HOST, LocalCluster, free_port
from snipbench.clock import SystemClock
from snipbench.domain.order import Database, Pgbench
from snipbench.errors import DatabaseError

from .conftest import SMALL, count

pytestmark = pytest.mark.postgres


def test_a_port_that_somebody_else_took_first_is_tried_again_elsewhere(prototype: Prototype, tmp_path: Path) -> None:
    account = server_account()
    with socket.socket() as rival:
        rival.bind((HOST, 0))
        rival.listen()
        ports = [rival.getsockname()[1], *(free_port() for _ in range(5))]  # any of which may be taken by now
        left = list(ports)
        cluster = LocalCluster(find_install(account), account, tmp_path, SystemClock(), lambda: left.pop(0))
        copy_tree(prototype.directory, cluster.directory, CopyFiles(), account)
        facts = json.loads((prototype.directory.parent / "prototype.json").read_text())
        server = cluster.serve({}, Connection(HOST, 0, "snipbench", roles.ADMIN, facts["password"]))
        server.stop()
    assert server.connection.port in ports[1:]


def test_a_server_that_cannot_start_shows_the_end_of_its_log(prototype: Prototype, tmp_path: Path) -> None:
    account = server_account()
    cluster = LocalCluster(find_install(account), account, tmp_path, SystemClock())
    copy_tree(prototype.directory, cluster.directory, CopyFiles(), account)
    (cluster.directory / "global" / "pg_control").unlink()
    with pytest.raises(DatabaseError, match="could not find the database system"):
        cluster.serve({}, Connection(HOST, 0, "snipbench", roles.ADMIN, ""))
    assert processes_of(tmp_path) == ()


def test_a_server_started_from_a_thread_outlives_the_thread(provider: EmbeddedProvider, prototype: Prototype) -> None:
    clones = []
    thread = threading.Thread(target=lambda: clones.append(provider.clone(prototype, SMALL, owner="task-1")))
    thread.start()
    thread.join()
    try:
        time.sleep(0.2)
        assert count(clones[0].run) == 1000
    finally:
        provider.release(clones[0].clone_id)


def test_two_builders_of_one_prototype_build_it_once(home: Path) -> None:
    database = Database(name="twice", dataset=Pgbench(generator="pgbench", scale=0.02))
    results: list[Prototype] = []
    builders = [
        threading.Thread(target=lambda: results.append(EmbeddedProvider(home).prepare(database, Path())))
        for _ in range(3)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert sorted(result.built for result in results) == [False, False, True]
    assert len({result.manifest_hash for result in results}) == 1


def test_a_removed_prototype_is_gone_and_can_be_built_again(provider: EmbeddedProvider) -> None:
    database = Database(name="brief", dataset=Pgbench(generator="pgbench", scale=0.03))
    first = provider.prepare(database, Path())
    provider.remove(first)
    assert first.prototype_key not in {found.prototype_key for found in provider.prototypes()}
    with pytest.raises(DatabaseError):
        provider.clone(first, database, owner="task-1")
    provider.remove(first)
    assert provider.prepare(database, Path()).built

"""Owners that die: no server of theirs lives on, and the next clears up after them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.databases import roles
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import Prototype
from orchestrator.databases.processes import processes_of
from orchestrator.databases.server import HOST

from .conftest import SMALL, count, eventually

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[3]

OWNER = """
import sys, time
from pathlib import Path
from orchestrator.databases.embedded import EmbeddedProvider
from snipbench.domain.order import Database, Pgbench
database = Database(name="small", dataset=Pgbench(generator="pgbench", scale=float(sys.argv[2])))
provider = EmbeddedProvider(Path(sys.argv[1]))
prototype = provider.prepare(database, Path())
clone = provider.clone(prototype, database, owner="task-doomed")
print(clone.clone_id, clone.admin.port, clone.admin.password, flush=True)
sys.stdin.read()
"""


def owner(home: Path, scale: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home), str(scale)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_after_sigkill_of_the_owner_no_server_is_left_and_the_next_reaps_its_files(
    provider: EmbeddedProvider, prototype: Prototype, home: Path
) -> None:
    kept = provider.clone(prototype, SMALL, owner="task-alive")
    with owner(home, 0.01) as process:
        assert process.stdout is not None
        clone_id, port, password = process.stdout.readline().split()
        workspace = home / "databases" / "clones" / clone_id
        session = psycopg.connect(
            host=HOST, port=int(port), dbname="snipbench", user=roles.ADMIN, password=password, autocommit=True
        )
        busy = threading.Thread(target=_burn, args=(session,))
        busy.start()
        time.sleep(0.3)
        running = processes_of(workspace)
        process.kill()
        gone = eventually(lambda: not processes_of(workspace), 60)
        busy.join()
    try:
        assert len(running) >= 3
        assert gone
        assert provider.reap() == [clone_id]
        assert not workspace.exists()
        assert count(kept.run) == 1000
        assert provider.reap() == []
    finally:
        provider.release(kept.clone_id)


def _burn(session: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT sum(i::numeric) FROM generate_series(1, 500000000) i")


def test_leftover_servers_of_a_dead_owner_are_ended_by_the_next(provider: EmbeddedProvider, home: Path) -> None:
    """Where the parent-death signal did not do it: the record alone says that nobody answers for the clone."""
    clone = provider.clone(provider.prepare(SMALL, Path()), SMALL, owner="task-1")
    workspace = home / "databases" / "clones" / clone.clone_id
    record = json.loads((workspace / "owner.json").read_text())
    (workspace / "owner.json").write_text(json.dumps(record | {"started_ticks": record["started_ticks"] - 1}))
    assert provider.reap() == [clone.clone_id]
    assert processes_of(workspace) == ()
    provider.release(clone.clone_id)


def test_a_build_killed_half_way_leaves_nothing_usable_and_is_reaped(home: Path, provider: EmbeddedProvider) -> None:
    building = home / "databases" / "building"
    before = list(provider.prototypes())
    with owner(home, 20) as process:
        assert eventually(lambda: any(building.glob("*/data/postmaster.pid")), 60)
        (workspace,) = building.iterdir()
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        assert eventually(lambda: not processes_of(workspace), 60)
    assert provider.prototypes() == before
    assert provider.reap() == [f"unfinished build {workspace.name}"]
    assert list(building.iterdir()) == []


def test_a_build_interrupted_from_the_keyboard_clears_up_itself(home: Path, provider: EmbeddedProvider) -> None:
    building = home / "databases" / "building"
    with owner(home, 20) as process:
        assert eventually(lambda: any(building.glob("*/data/postmaster.pid")), 60)
        (workspace,) = building.iterdir()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.wait(120)
    assert processes_of(workspace) == ()
    assert list(building.iterdir()) == []

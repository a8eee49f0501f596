"""What Docker containers do beyond the contract: their template, overlays, refusals."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.databases.docker.engine import connect
from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.port import Prototype, ReferenceDatabase
from snipbench.domain.order import CloneChoice, Database, DataDirectory, Limits, Pgbench
from snipbench.errors import DatabaseError, MachineError

from .conftest import OVERLAY, SMALL, count, left_behind

pytestmark = [pytest.mark.docker, pytest.mark.root]


def facts(clone: ReferenceDatabase) -> Any:
    return connect().api.inspect_container(clone.target.container_id)


def test_a_container_has_its_limits_and_no_rights(cloned: Callable[..., ReferenceDatabase]) -> None:
    clone = cloned(OVERLAY.model_copy(update={"limits": Limits(cpus=1.5, memory=512 << 20)}))
    made = facts(clone)
    host, config = made["HostConfig"], made["Config"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (1_500_000_000, 512 << 20, 512 << 20)
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"]
    assert not host["Privileged"]
    assert host["PidsLimit"] == 512
    assert {port["HostIp"] for ports in host["PortBindings"].values() for port in ports} == {"127.0.0.1"}
    assert not config["User"].startswith("0")
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert made["Image"] in (clone.image or "")


def test_reading_an_overlay_copies_nothing_up_any_more(
    cloned: Callable[..., ReferenceDatabase], built: Prototype, containers: DockerProvider, root: Path
) -> None:
    clone = cloned(tables=["pgbench_accounts"])
    assert clone.strategy == "overlay"
    assert clone.touch_seconds is not None
    upper = root / "clones" / clone.clone_id / "upper"
    with psycopg.connect(**clone.admin.parameters) as session:
        row = session.execute("SELECT pg_relation_filepath('pgbench_accounts')").fetchone()
        assert row is not None
        copied = (upper / row[0]).stat()
        assert copied.st_size == (built.directory / row[0]).stat().st_size > 0
        assert count(clone.run) == 1000
        assert (upper / row[0]).stat().st_ino == copied.st_ino
        session.execute("DELETE FROM pgbench_accounts")
    assert list(containers.verify(built)) == []


def test_in_a_network_of_containers_nothing_is_published(built: Prototype, root: Path) -> None:
    network = connect().networks.create(f"snipbench-test-{os.getpid()}")
    inside = DockerProvider(root.parents[1], network=network.name)
    clone = inside.clone(built, OVERLAY, owner="task-1")
    try:
        assert count(clone.run) == 1000
        assert clone.run.port == 5432
        assert facts(clone)["HostConfig"]["PortBindings"] in (None, {})
    finally:
        inside.release(clone.clone_id)
        network.remove()


def test_a_released_clone_leaves_nothing(containers: DockerProvider, built: Prototype, root: Path) -> None:
    clone = containers.clone(built, OVERLAY, owner="task-1")
    assert left_behind(root) == 2
    with ThreadPoolExecutor(3) as pool:  # by whoever is first
        assert list(pool.map(containers.release, [clone.clone_id] * 3)) == [None] * 3
    assert left_behind(root) == 0
    assert list((root / "clones").iterdir()) == []


LIKE_THE_OFFICIAL_ONE = """
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
USER 12345
ENTRYPOINT ["/bin/false"]
CMD ["postgres"]
"""


def test_an_images_own_entrypoint_user_and_volume_do_not_matter(containers: DockerProvider, built: Prototype) -> None:
    engine, name = connect(), "snipbench-test/like-official:15"
    image = os.environ.get("SNIPBENCH_POSTGRES_IMAGE", "postgres:16")
    bare = engine.containers.create(image, "true")
    bare.commit("snipbench-test/like-official", "15", changes=LIKE_THE_OFFICIAL_ONE.strip().splitlines())
    bare.remove()
    volumes = len(engine.volumes.list())
    asked = OVERLAY.model_copy(update={"image": name})
    try:
        prototype = containers.prepare(asked, Path())
        assert prototype.prototype_key != built.prototype_key
        clone = containers.clone(prototype, asked, owner="task-1")
        assert count(clone.run) == 1000
        containers.release(clone.clone_id)
        containers.remove(prototype)
    finally:
        engine.images.remove(name)
    assert len(engine.volumes.list()) == volumes


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_prototype_that_is_being_served_is_not_cloned(
    containers: DockerProvider, built: Prototype, root: Path
) -> None:
    lock = built.directory / "postmaster.pid"
    lock.write_text("1\n")
    try:
        with pytest.raises(DatabaseError, match=r"it has a postmaster\.pid"):
            containers.clone(built, SMALL, owner="task-1")
    finally:
        lock.unlink()
    assert left_behind(root) == 0


def test_a_prototype_of_another_image_is_not_cloned(containers: DockerProvider, built: Prototype) -> None:
    with pytest.raises(DatabaseError, match="was not built with image"):
        containers.clone(replace(built, prototype_key="0" * 24), SMALL, owner="task-1")


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    containers: DockerProvider, built: Prototype, root: Path
) -> None:
    broken = OVERLAY.model_copy(update={"settings": {"shared_buffers": "900GB"}})
    with pytest.raises(DatabaseError, match=r"(?s)exit code 1.*could not map anonymous shared memory"):
        containers.clone(built, broken, owner="task-1")
    assert left_behind(root) == 0


def test_a_data_directory_that_was_not_shut_down_is_refused(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], root: Path, tmp_path: Path
) -> None:
    running = cloned(SMALL.model_copy(update={"clone": CloneChoice.COPY}))
    torn = tmp_path / "torn"
    shutil.copytree(
        root / "clones" / running.clone_id / "data",
        torn,
        ignore=shutil.ignore_patterns("postmaster.pid", "pg_dynshmem"),
    )
    (torn / "pg_dynshmem").mkdir()
    asked = Database(name="torn", dataset=DataDirectory(data_directory=str(torn)))
    with pytest.raises(DatabaseError, match="was not shut down cleanly"):
        containers.prepare(asked, Path())
    assert list((root / "building").iterdir()) == []


def test_two_who_want_the_same_prototype_get_one(containers: DockerProvider) -> None:
    asked = Database(name="both", dataset=Pgbench(generator="pgbench", scale=0.02))
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: containers.prepare(asked, Path()), range(2)))
    assert sorted(one.built for one in both) == [False, True]
    assert len({one.manifest_hash for one in both}) == 1


def test_an_image_that_cannot_be_had_is_told_by_its_name(containers: DockerProvider) -> None:
    nobody = "127.0.0.1:9/nobody/nothing:1"
    with pytest.raises(DatabaseError, match=f"image {nobody} cannot be had"):
        containers.prepare(SMALL.model_copy(update={"image": nobody}), Path())


@pytest.mark.mounts
def test_a_disk_that_fills_up_while_copying_leaves_nothing(
    containers: DockerProvider, built: Prototype, root: Path, mounted: Callable[..., None]
) -> None:
    mounted(root / "small", "-t", "tmpfs", "-o", "size=20m", "tmpfs")
    (root / "clones").rename(root / "kept")
    (root / "clones").symlink_to(root / "small")
    try:
        with pytest.raises(DatabaseError, match="No space left on device"):
            containers.clone(built, SMALL.model_copy(update={"clone": CloneChoice.COPY}), owner="task-1")
        assert list((root / "small").iterdir()) == []
    finally:
        (root / "clones").unlink()
        (root / "kept").rename(root / "clones")
    assert left_behind(root) == 0


def test_no_engine_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    connect.cache_clear()
    try:
        with pytest.raises(MachineError, match="start it"):
            connect()
    finally:
        connect.cache_clear()

"""Containers and volumes whose owner is dead, or gone, are removed; what lives stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import docker
import pytest

from orchestrator.databases.docker import labels
from orchestrator.databases.docker.engine import connect
from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.ownership import Owner
from orchestrator.databases.port import ReferenceDatabase

from .conftest import count, left_behind

pytestmark = [pytest.mark.docker, pytest.mark.root]
ROOT = Path(__file__).parents[3]


OWNER = """
import os, sys
from pathlib import Path
from orchestrator.databases.docker.provider import DockerProvider
from snipbench.domain.order import CloneChoice, Database, Pgbench
database = Database(name="small", dataset=Pgbench(generator="pgbench", scale=0.01), clone=CloneChoice.OVERLAY)
provider = DockerProvider(Path(sys.argv[1]))
prototype = provider.prepare(database, Path())
print(provider.clone(prototype, database, owner="task-doomed").clone_id, prototype.built, flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_owner_left_is_reaped_and_what_lives_is_not(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], root: Path
) -> None:
    living = cloned()
    doomed = subprocess.run(
        [sys.executable, "-c", OWNER, str(root.parents[1])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    clone_id, newly_built = doomed.stdout.split()
    assert newly_built == "False"
    assert left_behind(root) == 4
    assert containers.reap() == [clone_id]
    assert left_behind(root) == 2
    assert count(living.run) == 1000


def test_a_clone_that_was_taken_over_goes_on_though_its_maker_is_dead(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = cloned()
    containers.take_over()
    # The number of a process namespace is given to another one: the maker's label names a process that is not there.
    monkeypatch.setattr("orchestrator.databases.docker.servers.orphaned", lambda found: True)
    assert clone.clone_id not in containers.reap()
    assert count(clone.run) == 1000


def test_what_the_kernel_leaves_of_an_overlay_goes_without_being_root(
    containers: DockerProvider, cloned: Callable[..., ReferenceDatabase], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = cloned()
    workspace = root / "clones" / clone.clone_id
    # A file of the lower layer that is removed leaves its mark in the kernel's directory, which is root's.
    connect().containers.get(clone.target.container_id).exec_run(["rm", "/snipbench/data/PG_VERSION"])
    assert list((workspace / "work" / "work").iterdir()) != []
    monkeypatch.setattr("os.geteuid", lambda: 10001)
    containers._servers.stop(workspace)
    assert list((workspace / "work").iterdir()) == []


def test_containers_of_a_home_that_is_gone_are_reaped(containers: DockerProvider, tmp_path: Path) -> None:
    engine = connect()
    dead = asdict(Owner.this_process("clone-lost")) | {"pid": 2**22 + 1}
    marks = {labels.ROOT: str(tmp_path / "gone"), labels.WORKSPACE: "clone-lost", labels.OWNER: json.dumps(dead)}
    image = os.environ.get("SNIPBENCH_POSTGRES_IMAGE", "postgres:16")
    lost = engine.containers.create(image, ["600"], entrypoint=["sleep"], labels=marks)
    assert "clone-lost" in containers.reap()
    with pytest.raises(docker.errors.NotFound):
        engine.api.inspect_container(lost.id)

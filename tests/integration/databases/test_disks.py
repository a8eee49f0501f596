"""Disks that are too small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.databases.embedded import EmbeddedProvider
from snipbench.domain.order import Database, SqlFile
from snipbench.errors import DatabaseError

from .conftest import SMALL

pytestmark = [pytest.mark.postgres, pytest.mark.mounts]


def test_too_small_a_disk_is_refused_before_anything_is_made(mounted: Callable[..., None], tmp_path: Path) -> None:
    mounted(tmp_path / "home", "-t", "tmpfs", "-o", "size=64m", "tmpfs")
    provider = EmbeddedProvider(tmp_path / "home")
    with pytest.raises(DatabaseError, match="not enough disk space for the prototype: about"):
        provider.prepare(SMALL, Path())
    assert list(provider.prototypes()) == []


def test_a_disk_that_fills_up_while_building_leaves_nothing(mounted: Callable[..., None], tmp_path: Path) -> None:
    home = tmp_path / "home"
    mounted(home, "-t", "tmpfs", "-o", "size=160m", "tmpfs")
    (tmp_path / "big.sql").write_text(
        "CREATE TABLE big AS SELECT repeat(md5(i::text), 60) FROM generate_series(1, 900000) i;"
    )
    provider = EmbeddedProvider(home)
    with pytest.raises(DatabaseError, match="not enough disk space: it ran out"):
        provider.prepare(Database(name="big", dataset=SqlFile(sql="big.sql")), tmp_path)
    assert list(provider.prototypes()) == []
    assert list((home / "databases" / "building").iterdir()) == []

"""Jars are named by coordinates, pinned by hash, resolved once, verified at every start."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import jars as jar_cache
from orchestrator.jars import sources
from snipbench.errors import MachineError, UsageError


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SNIPBENCH_JARS", raising=False)
    return tmp_path / "cache" / "snipbench" / "jars"


def folder_of(jars: tuple[Path, ...], target: Path) -> Path:
    target.mkdir()
    for jar in jars:
        shutil.copy(jar, target)
    return target


def test_a_named_folder_fills_the_cache(
    jars: tuple[Path, ...], empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNIPBENCH_JARS", str(folder_of(jars, tmp_path / "folder")))
    assert jar_cache.cached() is None
    paths = jar_cache.ensure()
    assert [path.parent for path in paths] == [empty_cache] * len(paths)
    assert jar_cache.cached() == paths


def test_a_jar_with_another_hash_is_refused_and_admits_none(
    jars: tuple[Path, ...], empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(jars, tmp_path / "folder")
    with (folder / jars[-1].name).open("ab") as file:
        file.write(b"x")
    monkeypatch.setenv("SNIPBENCH_JARS", str(folder))
    with pytest.raises(MachineError, match="SHA-256"):
        jar_cache.ensure()
    assert not list(empty_cache.glob("*.jar"))


def test_a_cached_jar_that_changed_is_no_longer_taken(
    jars: tuple[Path, ...], empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNIPBENCH_JARS", str(folder_of(jars, tmp_path / "folder")))
    (first, *_) = jar_cache.ensure()
    first.write_bytes(b"something else")
    assert jar_cache.cached() is None
    assert jar_cache.ensure()
    assert jar_cache.cached() is not None


def test_where_nobody_has_them_the_error_names_the_way_out(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "from_spark", lambda *_: _fail("no network"))
    monkeypatch.setattr(sources, "from_maven", lambda *_: _fail("no network"))
    with pytest.raises(MachineError, match="SNIPBENCH_JARS=FOLDER") as caught:
        jar_cache.ensure()
    assert "no network" in str(caught.value)
    assert not empty_cache.exists()


def test_a_named_folder_without_the_jars_is_wrong_use_and_nobody_else_is_asked(
    jars: tuple[Path, ...], empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "from_spark", lambda *_: pytest.fail("it was asked"))
    monkeypatch.setenv("SNIPBENCH_JARS", str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="nothing', which is no folder"):
        jar_cache.ensure()
    folder = folder_of(jars, tmp_path / "nothing")
    (folder / jars[0].name).unlink()
    with pytest.raises(UsageError, match=f"has no {jars[0].name}, and it is not cached yet"):
        jar_cache.ensure()
    assert not empty_cache.exists()


def _fail(reason: str) -> dict[str, Path]:
    raise sources.SourceFailed(reason)


@pytest.mark.spark
@pytest.mark.parametrize(
    "fetch",
    [
        pytest.param(sources.from_spark, id="Spark's resolver"),
        pytest.param(sources.from_maven, id="Maven", marks=pytest.mark.maven),
    ],
)
def test_each_resolver_gives_the_locked_jars(fetch: sources.Fetch, tmp_path: Path) -> None:
    jar = jar_cache.locked()[-1]
    found = fetch([jar.coordinate], tmp_path)
    assert found[jar.coordinate].stat().st_size > 100_000


def test_the_lock_file_names_coordinates_and_hashes_only() -> None:
    jars = jar_cache.locked()
    assert {jar.artifact for jar in jars} == {"delta-spark_4.1_2.13", "delta-storage", "postgresql"}
    assert all(len(jar.sha256) == 64 for jar in jars)


@pytest.mark.spark
def test_the_command_is_quiet_once_the_cache_is_filled(jars: tuple[Path, ...]) -> None:
    assert jars
    done = subprocess.run([sys.executable, "-m", "orchestrator.jars"], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""

"""What a session wrote is copied as bytes: no link is followed, nothing but results is taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from executor.proving.taking import NotTaken, take


@pytest.fixture
def written(tmp_path: Path) -> Path:
    place = tmp_path / "work" / "results" / "one"
    place.mkdir(parents=True)
    return place


def taken(written: Path) -> tuple[int, Path]:
    into = written.parents[2] / "into"
    return take(written.parents[1], ("results", "one"), into), into


def test_files_of_a_result_are_copied_and_others_left(written: Path) -> None:
    for name in ("part-00000-ab.c000.parquet", "part-00001-ab.c000.parquet", "_SUCCESS", ".part-00000.parquet.crc"):
        (written / name).write_text(name)
    (written / "_temporary").mkdir()
    size, into = taken(written)
    assert sorted(path.name for path in into.iterdir()) == ["part-00000-ab.c000.parquet", "part-00001-ab.c000.parquet"]
    assert size == sum(path.stat().st_size for path in into.iterdir())


def test_links_are_not_followed(written: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (written / "value.json").symlink_to(tmp_path / "secret")
    with pytest.raises(NotTaken, match="cannot be opened"):
        taken(written)


def test_a_linked_directory_is_nothing_written(written: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "value.json").write_text("{}")
    written.rmdir()
    written.symlink_to(tmp_path / "theirs")
    with pytest.raises(NotTaken, match="nothing was written"):
        taken(written)


def test_a_pipe_is_no_file_and_does_not_block(written: Path) -> None:
    os.mkfifo(written / "value.json")
    with pytest.raises(NotTaken, match="no regular file"):
        taken(written)


def test_an_empty_or_missing_directory_is_nothing_written(written: Path) -> None:
    with pytest.raises(NotTaken, match="nothing was written"):
        taken(written)
    written.rmdir()
    with pytest.raises(NotTaken, match="nothing was written"):
        taken(written)

"""Segments and the spool of one monitor: order, bounds, damage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from monitor.segment import FORMAT, from_line, read_segment, segments, to_line
from monitor.spool import Spool, SpoolFull
from snipbench.owned_folder import OwnedFolder

LINE_BYTES = len(to_line({"_id": "000", "text": "x" * 64}))


def sample(number: int) -> dict[str, Any]:
    return {"_id": f"{number:03}", "text": "x" * 64}


def ids(spool: Spool, limit: int = 1000) -> list[str]:
    """Reads and discards one piece."""
    piece = spool.read(limit)
    spool.discard(piece.lines)
    return [document["_id"] for document in piece.documents]


def names(first: int, end: int) -> list[str]:
    return [f"{number:03}" for number in range(first, end)]


def fill(spool: Spool) -> int:
    """How many samples it took."""
    for number in range(1000):
        try:
            spool.append(sample(number))
        except SpoolFull:
            return number
    raise AssertionError("it took everything")


def test_a_line_is_the_checksum_of_its_text_and_the_text() -> None:
    assert to_line({"_id": "a", "é": 1.5}) == '52e8e815 {"_id":"a","é":1.5}\n'.encode()
    assert from_line(to_line({"_id": "line\nbreak"})) == {"_id": "line\nbreak"}


@pytest.mark.parametrize("cut", [1, 2, 9, 20])
def test_a_line_that_was_cut_is_torn(cut: int) -> None:
    assert from_line(to_line(sample(1))[:-cut]) is None
    assert from_line(b"") is None


def test_samples_come_back_in_order_and_nothing_is_left_behind(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "stream-1", 1 << 20, segment_bytes=5 * LINE_BYTES)
    for number in range(20):
        spool.append(sample(number))
    assert len(segments(tmp_path / "stream-1")) > 3
    assert spool.waiting == 20
    found: list[str] = []
    while spool.waiting:
        found += ids(spool, 3)
    assert found == names(0, 20)
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_stays_until_it_is_discarded(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "stream-1", 1 << 20)
    for number in range(4):
        spool.append(sample(number))
    assert spool.read(2) == spool.read(2)
    spool.discard(3)
    spool.append(sample(4))
    assert ids(spool) == ["003", "004"]


def test_samples_are_discarded_across_segments(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "stream-1", 1 << 20, segment_bytes=3 * LINE_BYTES)
    for number in range(10):
        spool.append(sample(number))
    spool.discard(8)
    assert ids(spool) + ids(spool) == ["008", "009"]


def test_a_full_spool_refuses_the_newest_until_half_of_it_is_free(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "stream-1", 10 * LINE_BYTES, segment_bytes=2 * LINE_BYTES)
    number = fill(spool)
    assert 5 <= number <= 9
    with pytest.raises(SpoolFull, match=f"may have {10 * LINE_BYTES} bytes"):
        spool.append(sample(number))
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 10 * LINE_BYTES
    ids(spool, 2)
    with pytest.raises(SpoolFull):
        spool.append(sample(100))
    while spool.waiting > 2:
        ids(spool, 1)
    spool.append(sample(101))
    assert ids(spool) + ids(spool) == [*names(number - 2, number), "101"]


def test_the_bound_is_for_all_spools_together(tmp_path: Path) -> None:
    other = Spool(tmp_path, "stream-1", 1 << 20)
    for number in range(50):
        other.append(sample(number))
    spool = Spool(tmp_path, "stream-2", 40 * LINE_BYTES)
    with pytest.raises(SpoolFull):
        spool.append(sample(0))
    while other.waiting:
        ids(other)
    spool.try_again()
    spool.append(sample(0))
    assert ids(spool) == ["000"]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("not a folder")
    spool = Spool(tmp_path / "spool", "stream-1", 1 << 20)
    with pytest.raises(SpoolFull, match="cannot be written: Not a directory"):
        spool.append(sample(0))
    assert spool.waiting == 0


def test_after_a_write_that_failed_half_way_nothing_is_appended_to_the_rest_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, write = Spool(tmp_path, "stream-1", 1 << 20), os.write
    spool.append(sample(0))
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
    with pytest.raises(SpoolFull, match="only a part"):
        spool.append(sample(1))
    monkeypatch.undo()
    spool.try_again()
    spool.append(sample(2))
    assert ids(spool) + ids(spool) == ["000", "002"]


def test_damage_in_a_segment_costs_only_the_damaged_samples(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "stream-1", 1 << 20)
    for number in range(5):
        spool.append(sample(number))
    (path,) = segments(tmp_path / "stream-1")
    content = bytearray(path.read_bytes())
    content[len(to_line(FORMAT)) + 2 * LINE_BYTES + 30] ^= 1
    path.write_bytes(content)
    piece = spool.read(10)
    assert ([document["_id"] for document in piece.documents], piece.torn) == (["000", "001", "003", "004"], 1)


def test_samples_of_a_segment_that_is_gone_are_torn(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "stream-1", 1 << 20, segment_bytes=3 * LINE_BYTES)
    for number in range(6):
        spool.append(sample(number))
    segments(tmp_path / "stream-1")[0].unlink()
    piece = spool.read(10)
    assert piece.documents == []
    spool.discard(piece.lines)
    assert piece.torn + spool.waiting == 6
    found: list[str] = []
    while spool.waiting:
        found += ids(spool)
    assert found == names(piece.torn, 6)
    assert list(tmp_path.iterdir()) == []


def test_a_segment_of_another_format_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "000001.segment"
    path.write_bytes(to_line({"format": 2}) + to_line(sample(1)))
    with pytest.raises(ValueError, match="'format': 2"):
        list(read_segment(path, 10))


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    owned = OwnedFolder.make(tmp_path / "stream-1")
    assert OwnedFolder.adopt(owned.path) is None
    (owned.path / "file").touch()
    owned.leave()
    second = OwnedFolder.adopt(owned.path)
    assert second is not None
    (owned.path / "file").unlink()
    second.leave()
    assert not owned.path.exists()
    assert OwnedFolder.adopt(owned.path) is None

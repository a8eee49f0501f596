"""The files of the directory sink."""

from __future__ import annotations

import stat
from collections import Counter
from pathlib import Path

import pytest

from snipbench.profiling import DirectorySink, MemorySink, configure, flush, lost_calls, profile, read_directory
from snipbench.profiling.directory import read_pieces


@profile
def leaf(n):
    return n


@pytest.fixture
def folder(drain, tmp_path):
    configure(sink=DirectorySink(tmp_path / "calls", flush_seconds=None))
    yield tmp_path / "calls"
    configure(sink=MemorySink())


def test_rows_read_back_are_those_of_memory(drain, tmp_path):
    def work():
        both = [profile(leaf), profile(always=True)(leaf)]
        for n in range(10):
            both[n % 2](n)

    work()
    in_memory = drain()
    configure(sink=DirectorySink(tmp_path, flush_seconds=None), task_id="t")
    work()
    flush()
    read = read_directory(tmp_path)
    assert read.broken_lines == 0
    varying = {"call_id", "start_time", "end_time", "execution_time", "cpu_usage", "memory_usage", "task_id"}
    for mine, its in zip(in_memory, read.rows, strict=True):
        assert list(mine) == list(its)
        assert {k: v for k, v in mine.items() if k not in varying} == {k: v for k, v in its.items() if k not in varying}
    assert {row["task_id"] for row in read.rows} == {"t"}
    assert type(read.rows[0]["start_time"]) is type(in_memory[0]["start_time"])


def test_files_are_the_owner_s_alone(folder):
    leaf(1)
    flush()
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_source_is_written_once(folder):
    for _ in range(5):
        leaf(1)
        flush()
    (file,) = folder.iterdir()
    assert file.read_text().count('"function":') == 1
    assert len(read_directory(folder).rows) == 5


def test_a_broken_line_costs_its_own_calls_only_and_is_counted(folder):
    leaf(1)
    flush()
    (file,) = folder.iterdir()
    with file.open("a") as opened:
        opened.write('\n{"calls": {"thread_id"')
    leaf(2)
    flush()
    with file.open("ab") as opened:
        opened.write(b"\n\xff\xfe\n[]\n3")
    found = read_directory(folder)
    assert len(found.rows) == 2
    assert found.broken_lines == 4


def test_a_collector_may_take_files_away_meanwhile(folder):
    leaf(1)
    flush()
    (file,) = folder.iterdir()
    assert len(read_directory(folder).rows) == 1
    file.unlink()
    leaf(2)
    flush()
    assert len(read_directory(folder).rows) == 1
    file.unlink()
    folder.rmdir()
    leaf(3)
    flush()
    assert len(read_directory(folder).rows) == 1


def test_what_is_beyond_the_bound_is_counted_in_the_file(drain, tmp_path):
    configure(sink=DirectorySink(tmp_path, flush_seconds=None, max_bytes=100_000))
    for n in range(50_000):
        leaf(n)
    flush()
    found = read_directory(tmp_path)
    assert len(found.rows) + found.overflow_calls == 50_000
    assert 0 < len(found.rows) < 20_000
    assert lost_calls()["the sink was full"] == found.overflow_calls
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1_000_000


def test_a_missing_folder_has_no_calls(tmp_path):
    assert read_directory(tmp_path / "absent") == ([], 0, 0)


def test_calls_are_flushed_in_time_by_a_thread_that_ends_with_its_sink(drain, tmp_path):
    import time

    threads = Path("/proc/self/task")
    before = len(list(threads.iterdir()))
    configure(sink=DirectorySink(tmp_path, flush_seconds=0.02))
    leaf(1)
    end = time.monotonic() + 60
    while not read_directory(tmp_path).rows and time.monotonic() < end:
        time.sleep(0.01)
    assert len(read_directory(tmp_path).rows) == 1
    configure(sink=MemorySink())
    while len(list(threads.iterdir())) > before and time.monotonic() < end:
        time.sleep(0.01)
    assert len(list(threads.iterdir())) <= before


def test_calls_beyond_the_bound_are_told_by_function(drain, tmp_path):
    @profile
    def other():
        return None

    configure(sink=DirectorySink(tmp_path, flush_seconds=None, max_bytes=1))
    for turn in range(3):
        leaf(turn)
        flush()
    other()
    flush()
    overflow = Counter()
    for piece in read_pieces(tmp_path):
        overflow.update({piece.functions[key].function_name: calls for key, calls in piece.overflow.items()})
    assert overflow == {"leaf": 2, "other": 1}
    assert len(read_directory(tmp_path).rows) == 1

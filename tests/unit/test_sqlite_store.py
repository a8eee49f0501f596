"""What is SQLite's own in the store of one file: foreign files, no room, no right to write."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from snipbench.errors import StoreAway, StoreError
from snipbench.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]

FILL_UNTIL_NO_ROOM = """
import resource, sys
from snipbench.errors import StoreAway
from snipbench.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.insert("things", [{"_id": "first"}])
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    for n in range(100):
        store.insert("things", [{"_id": str(n), "text": "x" * 20_000}, {"_id": f"{n}b"}])
except StoreAway as error:
    assert error.retryable and "store.sqlite" in str(error), error
    assert store.count("things") == 1 + 2 * n, (store.count("things"), n)
    print("no room")
"""

READ_ONLY = """
import os, sys
from snipbench.errors import StoreError
from snipbench.store.sqlite import SqliteStore
if os.getuid() == 0:
    os.setuid(65534)
try:
    SqliteStore(sys.argv[1]).insert("things", [{"_id": "b"}])
except StoreError as error:
    print("refused:", type(error).__name__)
"""


def output_of(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_room_on_the_disk_is_a_store_error_and_leaves_whole_inserts_only(tmp_path: Path) -> None:
    assert output_of(FILL_UNTIL_NO_ROOM, str(tmp_path / "store.sqlite")) == "no room"
    with_room = SqliteStore(tmp_path / "store.sqlite")
    before = with_room.count("things")
    assert before % 2 == 1
    assert with_room.insert("things", [{"_id": "later"}]) == 1


def test_a_file_that_may_not_be_written_is_a_store_error() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = SqliteStore(folder / "store.sqlite")
        store.insert("things", [{"_id": "a"}])
        store.close()
        (folder / "store.sqlite").chmod(0o444)
        folder.chmod(0o555)
        assert output_of(READ_ONLY, str(folder / "store.sqlite")) == "refused: StoreError"
        folder.chmod(0o755)


def test_a_path_that_cannot_be_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder"):
        SqliteStore(tmp_path / "file" / "store.sqlite")
    with pytest.raises(StoreError, match="unable to open"):
        SqliteStore(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and they are longer than the header of a database file is " * 3)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a database"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (a)")
    with pytest.raises(StoreError, match="not a store of snipbench"):
        SqliteStore(path)


def test_a_store_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.sqlite"
    SqliteStore(path).close()
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="format 99"):
        SqliteStore(path)


def test_a_writer_that_waits_too_long_is_told_that_trying_again_can_help(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = SqliteStore(path, busy_seconds=0.05)
    store.insert("things", [{"_id": "a"}])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway, match="locked"):
        store.insert("things", [{"_id": "b"}])
    assert [document["_id"] for document in store.find("things")] == ["a"]
    other.execute("ROLLBACK")
    assert store.insert("things", [{"_id": "b"}]) == 1


def test_a_killed_process_loses_nothing_that_an_insert_returned_for(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from snipbench.store.sqlite import SqliteStore; s = SqliteStore(sys.argv[1])\n"
        "for n in range(50): s.insert('things', [{'_id': str(n)}]); print(n, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "store.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == -9
    assert SqliteStore(path).count("things") == len(done.stdout.split()) == 50


def test_questions_about_one_task_are_answered_by_an_index(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = SqliteStore(path)
    store.insert("runs", [{"_id": "a", "task_id": "t"}])
    store.close()
    from snipbench.store.sqlite_where import where_clause

    condition, parameters = where_clause({"task_id": "t"})
    with sqlite3.connect(path) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT body FROM runs {condition}", parameters).fetchall()
    assert "USING INDEX runs_by_task" in plan[0][3]


def test_connections_do_not_pile_up(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.sqlite")
    store.insert("things", [{"_id": f"{n:04}"} for n in range(1500)])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        next(store.find("things"))
        list(store.find("things"))
        store.count("things")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 6
    store.close()
    assert len(list(Path("/proc/self/fd").iterdir())) < before

"""Two at the same work: removing a directory, and starting the process's first server."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.databases import processes
from orchestrator.databases.prototypes import remove_tree
from snipbench.errors import DatabaseError


def test_a_file_that_vanishes_meanwhile_does_not_end_the_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = tmp_path / "doomed"
    for number in range(5):
        (doomed / "data" / str(number)).mkdir(parents=True)
        (doomed / "data" / str(number) / "file").write_text("row")
    unlink, vanished = os.unlink, []

    def quicker(path: Any, *, dir_fd: int | None = None) -> None:
        unlink(path, dir_fd=dir_fd)
        if not vanished:
            vanished.append(path)
            raise FileNotFoundError(path)

    monkeypatch.setattr(os, "unlink", quicker)
    remove_tree(doomed)
    assert vanished
    assert not doomed.exists()
    remove_tree(doomed)


def test_what_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "doomed").mkdir()
    (tmp_path / "doomed" / "file").write_text("row")

    def refuse(path: Any, *, dir_fd: int | None = None) -> None:
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(DatabaseError, match=r"cannot remove .*file.*Operation not permitted"):
        remove_tree(tmp_path / "doomed")


def test_servers_of_all_threads_are_started_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """That thread's end would be the end of its servers."""
    made: list[str] = []

    class Slow(ThreadPoolExecutor):
        def __init__(self, **options: Any) -> None:
            made.append(options["thread_name_prefix"])
            time.sleep(0.2)
            super().__init__(**options)

    monkeypatch.setattr(processes, "ThreadPoolExecutor", Slow)
    found: list[ThreadPoolExecutor] = []
    threads = [threading.Thread(target=lambda: found.append(processes._spawner(-1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(map(id, found))) == 1

"""Secrets made for one test, and everything that could hold one: stores, lakes, files, arguments of processes."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import redis

from analyzer.export import FORMATS, export
from snipbench.lake import reader
from snipbench.lake.tables import TABLES
from snipbench.store.port import DocumentStore

BETWEEN_LOOKS_SECONDS = 0.03


def canary(name: str) -> str:
    """A value that is nowhere by chance."""
    return f"canary-{name}-{secrets.token_hex(12)}"


class ArgumentWatch:
    """A context that keeps the arguments of every process of this machine, and the passwords of every clone, as they
    come and go. What lives shorter than a look apart may be missed."""

    def __init__(self, databases: Path) -> None:
        self.arguments: set[str] = set()
        self.passwords: set[str] = set()
        self._databases = databases
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="arguments")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.is_set():
            for name in os.listdir("/proc"):  # noqa: PTH208 - many times a second
                if name.isdigit():
                    try:
                        with open(f"/proc/{name}/cmdline", "rb", buffering=0) as file:  # noqa: PTH123
                            self.arguments.add(file.read().replace(b"\0", b" ").decode(errors="replace"))
                    except OSError:
                        continue  # it has ended meanwhile
            for served in self._databases.glob("clones/*/served.json"):
                try:
                    document = json.loads(served.read_text())
                except (OSError, ValueError):
                    continue  # gone, or not whole yet
                self.passwords |= {document[role]["password"] for role in ("run", "admin")}
            time.sleep(BETWEEN_LOOKS_SECONDS)


def texts_of_store(store: DocumentStore) -> Iterator[str]:
    """Every document, of every collection."""
    for collection in store.collections():
        for document in store.find(collection):
            yield f"{collection}: {document}"


def texts_of_lake(lake: Path, task_id: str) -> Iterator[str]:
    """Every row of a task, in every table, what is compressed unfolded."""
    for table in (name for name in TABLES if reader.has_task(lake, name, task_id)):
        for row in reader.task_rows(lake, table, task_id).to_pylist():
            yield f"{table}: { {name: _unfolded(value) for name, value in row.items()} }"


def texts_of_exports(lake: Path, task_id: str, folder: Path) -> Iterator[str]:
    """A task as ``snipbench export`` writes it: every table as CSV, the runs in every format."""
    tables = [name for name in TABLES if reader.has_task(lake, name, task_id)]
    wanted = [
        *((name, "csv") for name in tables),
        *(("runs", form) for form in FORMATS if form not in {"csv", "parquet"}),
    ]
    for table, form in wanted:
        path = folder / f"{table}.{form}"
        export(lake, task_id, table, form, str(path))
        yield f"{path.name}: {path.read_text('utf-8')}"


def texts_of_broker(address: str) -> Iterator[str]:
    """Everything that a Redis holds."""
    client = redis.Redis.from_url(address)
    for key in client.scan_iter():
        yield f"{key!r}: {client.dump(key)!r}"


def texts_of_files(folder: Path, *, without: str) -> Iterator[str]:
    """Every file below a folder as it is, but for those in ``without``."""
    for path in folder.rglob("*"):
        if path.is_file() and without not in path.relative_to(folder).parts:
            yield f"{path}: {path.read_bytes().decode(errors='replace')}"


def _unfolded(value: Any) -> Any:
    return zlib.decompress(value).decode() if isinstance(value, bytes) else value

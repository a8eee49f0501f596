"""One report of one made-up task, written once; one browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.report import write_report
from snipbench.store.sqlite import SqliteStore
from tests.integration.report.shown_task import write_shown_task
from tests.servers.chromium import Browser, browsing


@dataclass(frozen=True)
class Shown:
    """A task's report and the store it was made from."""

    task_id: str
    store: SqliteStore
    page: Path


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("shown")
    store = SqliteStore(folder / "store.sqlite")
    task_id = write_shown_task(store, folder / "models")
    yield Shown(task_id, store, write_report(store, task_id, folder / "reports"))
    store.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as opened:
        yield opened

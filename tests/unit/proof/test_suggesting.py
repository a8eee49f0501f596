"""``suggest`` and ``apply`` where they have nothing to work with: one clear error, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analyzer.proof import documents
from benchmarks.synthetic import write_task
from orchestrator.cli import cli
from snipbench import records
from snipbench.errors import UsageError
from snipbench.store.sqlite import SqliteStore

ANALYSIS = "suggest-scripted-wall-seconds"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    task = write_task(opened, "task-ended", samples=0)
    ended = records.task_to_document(replace(task, settled=True))
    opened.replace("tasks", ended, expected_version=(opened.get("tasks", "task-ended") or {})["version"])
    write_task(opened, "task-running", samples=0)
    yield opened
    opened.close()


def refused(home: Path, *arguments: object, **variables: str) -> str:
    done = CliRunner().invoke(cli, [*map(str, arguments), "--home", str(home)], standalone_mode=False, env=variables)
    assert isinstance(done.exception, UsageError), done.output
    assert done.exception.exit_code == 2
    assert "\n" not in str(done.exception)
    return str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("suggest", "task-nobody"), "there is no task 'task-nobody'; `snipbench list` shows all"),
        (("suggest", "task-running"), "task task-running has not ended; `snipbench retry task-running` goes on"),
        (("suggest", "task-running", "--new"), "task task-running has not ended"),
        (("apply", "suggestion-nobody"), "there is no suggestion 'suggestion-nobody'; `snipbench suggest TASK` lists"),
        (("suggest", "task-ended", "--advisor", "scripted"), "set SNIPBENCH_ADVISOR_SCRIPT to its path"),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_cannot_be_done_is_one_error_that_says_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(tmp_path, *arguments)


def test_suggestions_are_kept_where_new_ones_cannot_be_made(store: SqliteStore, tmp_path: Path) -> None:
    before: dict[str, Any] = {"_id": f"task-ended:{ANALYSIS}", "task_id": "task-ended", "analysis": ANALYSIS}
    store.insert(documents.OPTIMIZATIONS, [before])
    refused(tmp_path, "suggest", "task-ended", "--new", "--advisor", "scripted", SNIPBENCH_ADVISOR_SCRIPT="/nowhere")
    assert store.count(documents.OPTIMIZATIONS) == 1

"""Schemathesis against the API: what it makes from the OpenAPI document finds nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Served, serving, settings_for

# An order is judged by its content, which no schema describes: a refused one is no finding.
EXCLUDED = "positive_data_acceptance"
STREAM = "/tasks/{task_id}/events"


@pytest.fixture(scope="module")
def document_served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    with serving(settings_for(tmp_path_factory.mktemp("schemathesis")), with_tokens=True) as found:
        yield found


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param(("--exclude-path", STREAM), id="requests"),
        # Streams of tasks that never end would only be waited for: here their ids are made up.
        pytest.param(("--include-path", STREAM, "--phases", "examples,coverage,fuzzing"), id="streams"),
    ],
)
def test_it_finds_nothing(document_served: Served, tmp_path: Path, operations: tuple[str, ...]) -> None:
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{document_served.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {document_served.tokens['all']}"),
        *("--exclude-checks", EXCLUDED, "--max-examples", "6", "--seed", "1", "--no-color", *operations),
        # A machine that is slow is no finding either.
        *("--suppress-health-check", "too_slow", "--request-timeout", "120"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\d+ generated, \d+ passed", done.stdout), done.stdout[-2000:]

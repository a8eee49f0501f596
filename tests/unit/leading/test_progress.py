"""What a person watches: whatever stands in an order or a failure is shown as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.leading.terminal import LiveProgress
from snipbench.domain.plan import Phase, Slot
from snipbench.domain.run import Failure, RunOutcome, RunStatus

SLOT = Slot("slot", 0, "copies", "read", (("folder", "[/tmp/x]"),), Phase.MEASURED, 0, 0, None)
AT = "2026-01-01T00:00:00.000000Z"
GOOD = RunOutcome(RunStatus.OK, "session", AT, AT, 0.5)
FAILED = replace(GOOD, status=RunStatus.FAILED, wall_seconds=None, failure=Failure("Missing", "no [/bold] here"))


@pytest.mark.parametrize("outcome", [GOOD, FAILED])
def test_brackets_in_parameters_and_failures_are_no_markup(
    outcome: RunOutcome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    progress = LiveProgress()
    progress.begin("task", 1)
    progress.run(SLOT, outcome)
    progress.end()
    assert "run copies/read folder=[/tmp/x]" in capsys.readouterr().err

"""``--fail-if`` on the command line: its option, what it says, and the exit code that it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analyzer.regressions import Judgement, Threshold

REGRESSION = 3
NOTHING_JUDGED = 4

fail_if = click.option(
    "--fail-if",
    "fail_if",
    metavar="MEASURE:PERCENT%",
    help=f"Exit {REGRESSION} on a regression, e.g. wall_seconds:10%; {NOTHING_JUDGED} if there is an earlier task but "
    "nothing of it could be judged. Measures: wall_seconds, cpu_seconds_executor, cpu_seconds_database, "
    "memory_peak_bytes.",
)


def threshold_of(text: str | None) -> Threshold | None:
    """The option's value; ``None`` without one."""
    if text is None:
        return None
    from analyzer.regressions import Threshold

    return Threshold.parse(text)


def tell(judgement: Judgement) -> int:
    """Say on standard error what is worse and what was not judged; returns the exit code."""
    for line in judgement.regressions:
        click.echo(f"regression: {line}", err=True)
    for line in judgement.unjudged:
        click.echo(f"not judged: {line}", err=True)
    if judgement.regressions:
        return REGRESSION
    if judgement.is_empty:
        click.echo("not judged: nothing at all, which is no pass", err=True)
        return NOTHING_JUDGED
    return 0

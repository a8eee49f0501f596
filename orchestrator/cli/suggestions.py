"""Commands about improvements: ``suggest`` and ``apply``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options
from orchestrator.cli.results import opened
from snipbench.domain.analysis import Metric
from snipbench.errors import UsageError


@click.command()
@click.argument("task", default="latest")
@options.home
@options.as_json
@click.option("--new", is_flag=True, help="Make suggestions, though the task has some.")
@click.option("--advisor", type=click.Choice(["rules", "llm", "scripted"]), default="rules", show_default=True)
@click.option("--worst", type=click.IntRange(1, 1000), default=3, show_default=True, help="How many snippets.")
@click.option("--by", "by", type=click.Choice([metric.value for metric in Metric]), default="wall_seconds")
@click.option("--tokens", type=click.IntRange(min=1), help="Most tokens that the advisor may spend.")
def suggest(
    task: str, home: Path, as_json: bool, new: bool, advisor: Any, worst: int, by: str, tokens: int | None
) -> int:
    """Show the suggestions for the worst snippets of TASK; where it has none, have some made and proved."""
    from analyzer.proof.documents import suggestions_of, told
    from orchestrator.embedded import find_task

    code = 0
    with opened(home) as store:
        task_id = find_task(store, task)
        found = suggestions_of(store, task_id)
        document = store.get("tasks", task_id) or {}
    if new or not found:
        if not document.get("settled"):
            raise UsageError(f"task {task_id} has not ended; `snipbench retry {task_id}` goes on with one that stopped")
        from snipbench.domain.analysis import Budget, Optimize

        analysis = Optimize(
            name=f"suggest-{advisor}-{by.replace('_', '-')}",
            kind="optimize",
            worst=worst,
            by=Metric(by),
            advisor=advisor,
            budget=None if tokens is None else Budget(tokens=tokens),
        )
        databases = "docker" if document.get("mode") == "docker" else "embedded"
        report, found = _make(home, task_id, analysis, as_json, databases)
        click.echo(report["sentence"], err=True)
        code = 1 if report["verdict"] == "failed" else 0
    if as_json:
        options.print_json([told(one) for one in found])
    else:
        for one in found:
            _show(one)
        if not found:
            click.echo(f"no suggestions for {task_id}")
    return code


@click.command()
@click.argument("suggestion")
@options.home
@click.option("--force", is_flag=True, help="Also if it was not verified.")
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="File instead of the output.")
def apply(suggestion: str, home: Path, force: bool, target: Path | None) -> None:
    """Write SUGGESTION, if it was verified, as a unified patch (for `git apply` or `patch -p1`)."""
    from orchestrator.proving.patching import patch_of

    with opened(home) as store:
        patch = patch_of(store, suggestion, force=force, near=Path.cwd())
    if target is None:
        click.echo(patch.text, nl=False)
    else:
        target.write_text(patch.text, encoding="utf-8")
    click.echo(f"{patch.note}; to be applied in {patch.root}", err=True)


def _make(
    home: Path, task_id: str, analysis: Any, as_json: bool, databases: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Make an analysis anew, land the task and renew its report.

    Raises:
        UsageError: its advisor cannot be had; what was suggested before is still there.
    """
    from analyzer.advisors.choosing import choose_advisor
    from analyzer.proof import documents
    from orchestrator import wiring
    from orchestrator.cli.run import progress
    from orchestrator.leading.analysis import publish
    from orchestrator.leading.taskbook import TaskBook
    from orchestrator.proving.improving import run_optimize

    choose_advisor(analysis.advisor, os.environ)
    with wiring.embedded(home, progress(as_json), databases) as parts:
        documents.forget(parts.store, task_id, analysis.name)
        report = run_optimize(parts, task_id, analysis)
        publish(parts, TaskBook.open(parts.store, parts.clock, task_id))
        return report, documents.suggestions_of(parts.store, task_id)


def _show(document: dict[str, Any]) -> None:
    from analyzer.words import ratio_cell

    ratio = {bound: document[f"ratio_{bound}"] for bound in ("median", "low", "high")}
    verdict = document["verdict"] or "not proved"
    where = f"{document['experiment']}/{document['snippet']}"
    click.echo(f"{document['suggestion_id']}  {where}  {verdict}  {ratio_cell(ratio)}  by {document['advisor']}")
    click.echo(f"  {document['evidence']}")

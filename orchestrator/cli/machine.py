"""Commands about this machine: ``doctor``, ``clean``, ``version``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options


@click.command()
@options.home
@options.as_json
def doctor(home: Path, as_json: bool) -> int:
    """Check Python, JDK, jars, versions, memory, disk, Docker, sandbox; exit code 1 if an order could not run."""
    from orchestrator.doctor import examine

    findings = examine(home.resolve())
    if as_json:
        options.print_json([finding.to_document() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.mark}  {finding.subject:<12} {finding.found}")
            if finding.remedy:
                click.echo(f"      -> {finding.remedy}")
    return 1 if any(finding.blocks for finding in findings) else 0


@click.command()
@options.home
@options.databases
def clean(home: Path, databases: Any) -> None:
    """Reap clones, unfinished prototypes, servers and Spark's scratch that killed commands left behind."""
    from executor.scratch import remove_left
    from orchestrator import wiring
    from orchestrator.leading.parts import Home

    removed: list[str] = []
    if home.is_dir():
        removed = [*wiring.provider(home, databases).reap(), *remove_left(Home(home).work)]
    for leftover in removed:
        click.echo(f"removed {leftover}")
    click.echo(f"{len(removed)} leftovers removed")


@click.command()
def version() -> None:
    """Print the versions that matter to a measurement."""
    from orchestrator.environment import library_versions

    for name, found in library_versions().items():
        click.echo(f"{name} {found or 'not installed'}")

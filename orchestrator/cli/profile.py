"""``profile``: which functions of a plain Python script take the time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from orchestrator.cli import options

STANDARD_ERROR = 2
"""Its descriptor."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@options.as_json
@click.option(
    "--top", type=click.IntRange(min=1), default=20, show_default=True, help="How many functions, worst first."
)
@click.option(
    "--to", type=click.Path(dir_okay=False, path_type=Path), help="Parquet file for every call, as in `function_calls`."
)
def profile(script: Path, arguments: tuple[str, ...], as_json: bool, top: int, to: Path | None) -> int:
    """Run SCRIPT with every function that it defines profiled, and rank them by the time they take themselves.

    Options come before SCRIPT, what follows it is the script's. Its threads and processes are counted too; one that a
    signal or os._exit() ends loses its last 0.2 s. With --json what the script prints goes to standard error. Exit
    code 1 if it failed.
    """
    from analyzer.profiles import collect
    from analyzer.terminal import print_functions

    with tempfile.TemporaryDirectory(prefix="snipbench-profile-") as scratch:
        place = Path(scratch)
        command = [sys.executable, "-m", "snipbench.profiling", str(place / "calls"), str(script), *arguments]
        paths = os.pathsep.join(path for path in sys.path if path)
        output = STANDARD_ERROR if as_json else None
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, stdout=output, check=False)
        found = collect(place / "calls", to or place / "calls.parquet", kept_calls=sys.maxsize)
    functions = found.functions[:top]
    if as_json:
        options.print_json([asdict(function) for function in functions])
    elif not functions:
        click.echo(f"no function that {script} defines was called", err=True)
    else:
        print_functions(functions, sum(function.own_seconds for function in found.functions))
    if found.broken_lines:
        click.echo(f"{found.broken_lines} pieces of calls could not be read and are missing", err=True)
    if done.returncode:
        click.echo(f"{script} ended with exit code {done.returncode}", err=True)
    return 1 if done.returncode else 0

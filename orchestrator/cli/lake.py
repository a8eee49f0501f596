"""Commands over the lake's tables: ``query`` and ``export``; neither needs a JVM."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli import options
from snipbench.errors import UsageError

FORMATS = ("csv", "parquet", "json", "markdown", "pyperf", "bencher")


@click.command()
@click.argument("sql", required=False)
@options.home
@options.as_json
@click.option("--name", help="A kept query instead of SQL.")
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Value of a `:name` in the query.")
def query(sql: str | None, home: Path, as_json: bool, name: str | None, parameters: tuple[str, ...]) -> None:
    """Answer SQL over the lake's tables, or run a kept query (--name)."""
    from analyzer.terminal import print_table
    from orchestrator.leading.parts import Home
    from snipbench.lake import reader

    if (sql is None) == (name is None):
        raise UsageError("give either SQL or --name; kept queries: " + ", ".join(reader.kept_queries()))
    values = dict(_pair(text) for text in parameters)
    if not home.is_dir():
        raise UsageError(f"there is nothing at {home}: run an order first, or name its folder with --home")
    lake = Home(home.resolve()).lake
    table = reader.query(lake, sql, values) if sql is not None else reader.run_kept(lake, str(name), values)
    if as_json:
        options.print_json(reader.rows(table))
    else:
        print_table(table)


@click.command()
@click.argument("task", default="latest")
@options.home
@click.option("--table", default="runs", show_default=True, help="Table of the lake.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--to", required=True, metavar="PATH", help="A path or an object-store URL.")
def export(task: str, home: Path, table: str, form: str, to: str) -> None:
    """Write the rows of TASK in a table of the lake to a path or an object-store URL."""
    from analyzer.export import export as write
    from orchestrator.cli.results import opened
    from orchestrator.embedded import find_task
    from orchestrator.leading.parts import Home

    with opened(home) as store:
        task_id = find_task(store, task)
    rows = write(Home(home.resolve()).lake, task_id, table, form, to)
    click.echo(f"{rows} rows to {to}", err=True)


def _pair(text: str) -> tuple[str, int | float | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--param {text!r} is not NAME=VALUE")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value

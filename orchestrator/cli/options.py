"""Options that several commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from orchestrator.client import Client

DEFAULT_API = "http://127.0.0.1:8000"
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _findable(_: click.Context, __: click.Parameter, value: Path) -> Path:
    """Refuse what no path leads to (a circle of symbolic links, a name that is too long), as wrong use."""
    try:
        value.resolve().exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise click.BadParameter(str(error)) from error
    return value


home = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    callback=_findable,
    default=Path(".snipbench"),
    envvar="SNIPBENCH_HOME",
    show_default=True,
    help="Folder of store, lake, prototypes, reports.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
databases = click.option(
    "--databases",
    type=click.Choice(["embedded", "docker"]),
    default="embedded",
    envvar="SNIPBENCH_DATABASES",
    show_default=True,
    help="What serves reference databases: processes of this machine, or containers of its Docker engine.",
)
order_file = click.argument("order", type=click.Path(dir_okay=False, path_type=Path))


service = click.option(
    "--api",
    envvar="SNIPBENCH_API",
    metavar="URL",
    help="Address of a service; its token is in SNIPBENCH_TOKEN or the file of SNIPBENCH_TOKEN_FILE.",
)
"""Option ``api``."""


def client(api: str | None) -> Client:
    """A client of the service at ``api``; by default the one that ``snipbench serve`` starts."""
    from orchestrator.client import Client

    return Client.of_environment(api or DEFAULT_API)


def overrides(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--warmups``, ``--repetitions`` and ``--seed``, which override the file and enter the plan hash."""
    command = click.option("--seed", type=click.IntRange(min=0), help="Instead of the file's.")(command)
    command = click.option("--repetitions", type=click.IntRange(min=1), help="Instead of the file's.")(command)
    return click.option("--warmups", type=click.IntRange(min=0), help="Instead of the file's.")(command)


def print_json(document: Any) -> None:
    """One document on standard output, in ASCII where that is not UTF-8."""
    unicode = sys.stdout.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
    click.echo(json.dumps(document, ensure_ascii=not unicode, indent=2))

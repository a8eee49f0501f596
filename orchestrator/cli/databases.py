"""``snipbench databases list | build | verify | remove``: prototypes on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options
from orchestrator.databases.port import DatabaseProvider, Prototype
from snipbench.errors import UsageError


@click.group()
def databases() -> None:
    """List, build, verify, remove prototypes."""


@databases.command(name="list")
@options.home
@options.databases
@options.as_json
def list_prototypes(home: Path, databases: Any, as_json: bool) -> None:
    """List prototypes."""
    found = _provider(home, databases).prototypes() if home.is_dir() else ()
    if as_json:
        rows = [
            {
                "prototype_key": p.prototype_key,
                "dataset_hash": p.dataset_hash,
                "bytes": p.bytes,
                "server": p.server_version,
            }
            for p in found
        ]
        options.print_json(rows)
        return
    for prototype in found:
        click.echo(
            f"{prototype.prototype_key}  {prototype.bytes / 1e6:>10.1f} MB  PostgreSQL {prototype.server_version}"
        )
    if not found:
        click.echo("no prototypes; `snipbench databases build ORDER.yaml` makes those of an order")


@databases.command()
@options.order_file
@options.home
@options.databases
def build(order: Path, home: Path, databases: Any) -> None:
    """Build the prototypes of ORDER's databases that are not there yet."""
    from orchestrator.orders import read_order

    loaded = read_order(order)
    provider = _provider(home, databases)
    for database in loaded.order.databases:
        prototype = provider.prepare(database, order.parent)
        click.echo(f"{database.name}: {'built' if prototype.built else 'found'} {prototype.prototype_key}")


@databases.command()
@click.argument("key")
@options.home
@options.databases
def verify(key: str, home: Path, databases: Any) -> int:
    """Compare the files of prototype KEY (or `all`) with its manifest; exit code 1 if any differs."""
    provider = _provider_there(home, databases)
    code = 0
    for prototype in _chosen(provider, key):
        differences = provider.verify(prototype)
        for difference in differences:
            click.echo(f"{prototype.prototype_key}: {difference}")
        click.echo(f"{prototype.prototype_key}: {'differs' if differences else 'as built'}")
        code = 1 if differences else code
    return code


@databases.command()
@click.argument("key")
@options.home
@options.databases
def remove(key: str, home: Path, databases: Any) -> None:
    """Remove prototype KEY (or `all`)."""
    provider = _provider_there(home, databases)
    for prototype in _chosen(provider, key):
        provider.remove(prototype)
        click.echo(f"removed {prototype.prototype_key}")


def _provider(home: Path, databases: Any) -> DatabaseProvider:
    from orchestrator import wiring

    return wiring.provider(home, databases)


def _provider_there(home: Path, databases: Any) -> DatabaseProvider:
    """That of a home which is there: looking for prototypes makes none."""
    if not home.is_dir():
        raise UsageError(f"there is nothing at {home}; name the folder of prototypes with --home")
    return _provider(home, databases)


def _chosen(provider: DatabaseProvider, key: str) -> list[Prototype]:
    found = [p for p in provider.prototypes() if key == "all" or p.prototype_key.startswith(key)]
    if not found and key != "all":
        raise UsageError(f"there is no prototype {key!r}; `snipbench databases list` shows all")
    return found

"""``snipbench serve``: the API, or a worker behind it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from orchestrator.cli import options

ROLES = ("api", "leader", "executor", "monitor", "analyzer", "initializer", "gateway")


@click.command()
@click.argument("role", type=click.Choice(ROLES), default="api")
@options.home
@click.option("--host", default="127.0.0.1", show_default=True, envvar="SNIPBENCH_API_HOST", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, envvar="SNIPBENCH_API_PORT")
@click.option("--tokens", type=click.Path(path_type=Path), help="Token file; needed beyond the loopback.")
@click.option("--new-token", metavar="NAME", help="Print a fresh token and its entry for the token file, and end.")
@click.option("--scopes", default="read,submit,control", show_default=True, help="What the fresh token allows.")
def serve(role: str, home: Path, host: str, port: int, tokens: Path | None, new_token: str | None, scopes: str) -> None:
    """Serve the HTTP API (role `api`), or be a worker behind it.

    A `leader` leads tasks, and has an `executor`, a `monitor` and an `analyzer` do what is theirs; each is reached
    through the broker. Without SNIPBENCH_BROKER the API does all of it in its own process, one task at a time.

    An `initializer` serves reference databases to the others, by id; only it needs the Docker engine.

    A `gateway` hands questions of the advisor `llm` on to its endpoint; only it needs that network, and the key.
    """
    from dataclasses import replace

    from orchestrator.settings import forget_secrets, read_settings

    if new_token is not None:
        _new_token(new_token, scopes)
        return
    if role == "gateway":
        from orchestrator.gateway import serve as serve_gateway

        serve_gateway(os.environ, host, port)
        return
    settings = read_settings(os.environ, home)
    forget_secrets(os.environ)
    if tokens is not None:
        settings = replace(settings, tokens_file=tokens)
    if role == "api":
        from orchestrator.api.serving import serve as serve_api

        serve_api(settings, host, port)
        return
    if role == "initializer":
        from orchestrator.initializer.serving import serve as serve_initializer

        serve_initializer(settings, host, port)
        return
    from orchestrator.dispatch.serving import serve_worker

    serve_worker(settings, role)


def _new_token(name: str, scopes: str) -> None:
    from orchestrator.api.tokens import Scope, new_token
    from snipbench.errors import UsageError

    try:
        wanted = frozenset(Scope(scope.strip()) for scope in scopes.split(","))
    except ValueError:
        raise UsageError(f"--scopes: choose from {', '.join(scope.value for scope in Scope)}, not {scopes!r}") from None
    token, entry = new_token(name, wanted)
    click.echo(f"the token, shown this once: {token}", err=True)
    click.echo(json.dumps({"tokens": [entry]}, indent=2))

"""A click group that knows its commands' names and one-line help, and imports a command only to run it."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """``commands_by_path`` maps a command's name to ``(module:attribute, one line of help)``."""

    def __init__(self, *arguments: Any, commands_by_path: dict[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._paths = commands_by_path

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._paths)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._paths:
            return None
        module, _, attribute = self._paths[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._paths and not args[0].startswith("-"):
            near = get_close_matches(args[0], self._paths, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " `snipbench --help` lists all."
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that showing the help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._paths.items()])

"""The command line. Each command lives in a module of its own, loaded only when it is called."""

from __future__ import annotations

import errno
import io
import signal
import sys

import click

from orchestrator.cli.interrupts import EXIT_CODE, INTERRUPTS
from orchestrator.cli.lazy import LazyGroup
from snipbench import __version__
from snipbench.errors import SnipbenchError

COMMANDS = {
    "init": ("orchestrator.cli.orders:init", "Write a commented order that runs."),
    "check": ("orchestrator.cli.orders:check", "Find every mistake in an order file."),
    "plan": ("orchestrator.cli.orders:plan", "Show the full, ordered list of runs of an order."),
    "schema": ("orchestrator.cli.orders:schema", "Print the JSON Schema of order files."),
    "run": ("orchestrator.cli.run:run", "Run an order on this machine, from databases to report."),
    "retry": ("orchestrator.cli.run:retry", "Go on with a task after its last recorded run."),
    "serve": ("orchestrator.cli.serve:serve", "Serve the HTTP API, or do the work behind it."),
    "submit": ("orchestrator.cli.remote:submit", "Submit an order to a service."),
    "watch": ("orchestrator.cli.remote:watch", "Follow a task to its end."),
    "cancel": ("orchestrator.cli.remote:cancel", "End a task; what was recorded stays."),
    "list": ("orchestrator.cli.results:list_tasks", "List tasks."),
    "status": ("orchestrator.cli.results:status", "Show how far a task is."),
    "show": ("orchestrator.cli.results:show", "Show the results of a task."),
    "compare": ("orchestrator.cli.results:compare", "Compare two tasks of the same order."),
    "report": ("orchestrator.cli.results:report", "Write a task's HTML report again and print its path."),
    "analyze": ("orchestrator.cli.models:analyze", "Learn performance classes from a task that was run."),
    "predict": ("orchestrator.cli.models:predict", "Predict the performance class of snippets without running them."),
    "suggest": ("orchestrator.cli.suggestions:suggest", "Show, or make and prove, improvements of the worst snippets."),
    "apply": ("orchestrator.cli.suggestions:apply", "Write a verified improvement as a patch."),
    "export": ("orchestrator.cli.lake:export", "Write a table of the lake as CSV, Parquet, JSON or Markdown."),
    "query": ("orchestrator.cli.lake:query", "Answer SQL over the lake's tables."),
    "profile": ("orchestrator.cli.profile:profile", "Rank the functions of a Python script by the time they take."),
    "databases": ("orchestrator.cli.databases:databases", "List, build, verify, remove prototypes."),
    "doctor": ("orchestrator.cli.machine:doctor", "Check this machine and say what to do about each lack."),
    "clean": ("orchestrator.cli.machine:clean", "Reap what killed commands left behind."),
    "version": ("orchestrator.cli.machine:version", "Print the versions that matter to a measurement."),
}

_MACHINE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
"""What a full or broken disk says, wherever it is met; any other error of the system is a mistake of ours."""


@click.group(cls=LazyGroup, commands_by_path=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="snipbench")
def cli() -> None:
    """Which snippet is really faster, what does it cost, will the next one be slow?"""


def main() -> None:
    """Entry point: parse, run, one error exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a terminal that cannot show a sign shows "?"; the rest is worth seeing
            stream.reconfigure(errors="replace")
    INTERRUPTS.watch(signal.SIGINT)
    try:
        code = cli.main(prog_name="snipbench", standalone_mode=False)
    except click.exceptions.Abort:
        code = _fail("interrupted", EXIT_CODE)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except KeyboardInterrupt:
        code = _fail("interrupted", EXIT_CODE)
    except BrokenPipeError:
        code = 1
    except SnipbenchError as error:
        code = _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno not in _MACHINE_ERRORS:
            raise
        code = _fail(str(error), 1)
    INTERRUPTS.forget(signal.SIGINT)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    return code

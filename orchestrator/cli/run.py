"""``snipbench run`` and ``snipbench retry``: a task on this machine, from its order to its report."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import judging, options
from orchestrator.cli.interrupts import EXIT_CODE, INTERRUPTS
from snipbench.domain.run import TaskStatus

if TYPE_CHECKING:
    from analyzer.regressions import Threshold

EXIT_CODES = {TaskStatus.COMPLETED: 0, TaskStatus.INTERRUPTED: EXIT_CODE}


@click.command()
@options.order_file
@options.home
@options.databases
@options.overrides
@options.as_json
@judging.fail_if
def run(
    order: Path,
    home: Path,
    databases: Any,
    warmups: int | None,
    repetitions: int | None,
    seed: int | None,
    as_json: bool,
    fail_if: str | None,
) -> int:
    """Run ORDER on this machine, from databases to report."""
    from orchestrator import embedded, wiring
    from orchestrator.orders import read_order

    threshold = judging.threshold_of(fail_if)
    overrides = {"warmups": warmups, "repetitions": repetitions, "seed": seed}
    read_order(order, **overrides)  # before anything is made
    with _Terminated(), wiring.embedded(home, progress(as_json), databases) as parts:
        status, outcome = embedded.run(parts, order, overrides)
        code = _finish(status, outcome, as_json)
        judged = _judged(parts, outcome, threshold)
        return code if code and judged != judging.REGRESSION else judged


@click.command()
@click.argument("task", default="latest")
@options.home
@options.databases
@options.service
@options.as_json
def retry(task: str, home: Path, databases: Any, api: str | None, as_json: bool) -> int:
    """Go on with TASK (an id, `latest` or `previous`) after its last recorded run; with --api, on a service."""
    if api is not None:
        from orchestrator.cli.remote import remote_retry

        return remote_retry(api, task, as_json)
    from orchestrator import embedded, wiring
    from orchestrator.cli.results import opened

    with opened(home) as store:
        embedded.find_task(store, task)  # before anything is made
    with _Terminated(), wiring.embedded(home, progress(as_json), databases) as parts:
        status, outcome = embedded.retry(parts, task)
        return _finish(status, outcome, as_json)


class _Terminated:
    """SIGTERM ends a command as Ctrl-C does: the task is marked interrupted, nothing is left running."""

    def __enter__(self) -> None:
        INTERRUPTS.watch(signal.SIGTERM)

    def __exit__(self, *_: object) -> None:
        INTERRUPTS.forget(signal.SIGTERM)


def progress(as_json: bool) -> Any:
    """What shows a person how far a command is, on standard error."""
    from orchestrator.leading.progress import PlainProgress
    from orchestrator.leading.terminal import LiveProgress

    if sys.stderr.isatty() and not as_json:
        return LiveProgress()
    return PlainProgress(sys.stderr)


def _finish(status: TaskStatus, outcome: dict[str, Any], as_json: bool) -> int:
    if as_json:
        options.print_json(outcome)
    else:
        from analyzer.terminal import print_outcome

        print_outcome(outcome)
    return EXIT_CODES.get(status, 1)


def _judged(parts: Any, outcome: dict[str, Any], threshold: Threshold | None) -> int:
    """Exit code against the previous task of that name; 0 where no threshold was given."""
    if threshold is None:
        return 0
    from analyzer.regressions import judge_against_previous

    return judging.tell(judge_against_previous(parts.store, outcome["task_id"], threshold))

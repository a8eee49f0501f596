"""Commands that speak to a service: ``submit``, ``watch``, ``cancel``; and what others do there with ``--api``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options
from snipbench.domain.run import TaskStatus

LINK_PREFIXES = ("http://", "https://", "gitlab:")
NOBODY_LEADS = "nobody leads it: its command was killed; `snipbench retry` goes on, `snipbench cancel` ends it"
EXIT_CODES = {TaskStatus.COMPLETED: 0, TaskStatus.INTERRUPTED: 130}


@click.command()
@click.argument("order")
@options.service
@options.overrides
@options.as_json
@click.option("--wait", is_flag=True, help="Watch the task to its end; exit as `run` does.")
@click.option("--callback", "callback", metavar="URL", help="Tell the end of every stage there, signed.")
@click.option("--ref", default="HEAD", show_default=True, help="Branch, tag or commit of a gitlab: link.")
@click.option("--sha256", help="Checksum of the order behind an http(s) link.")
def submit(
    order: str,
    api: str | None,
    warmups: int | None,
    repetitions: int | None,
    seed: int | None,
    as_json: bool,
    wait: bool,
    callback: str | None,
    ref: str,
    sha256: str | None,
) -> int:
    """Submit ORDER to a service: a file, whose snippet files go along, or a link (https://…, gitlab:PROJECT:PATH)."""
    from orchestrator.client.submission import link_of, order_of

    numbers = {"warmups": warmups, "repetitions": repetitions, "seed": seed}
    if order.startswith(LINK_PREFIXES):
        submission = {"link": link_of(order, ref=ref, sha256=sha256)}
    else:
        submission = order_of(Path(order), numbers)
    wanted = {**submission, **numbers, "callback_url": callback}
    with options.client(api) as client:
        receipt = client.submit({key: value for key, value in wanted.items() if value is not None})
        for warning in receipt["warnings"]:
            click.echo(f"warning: {warning}", err=True)
        if not wait:
            if as_json:
                options.print_json(receipt)
            else:
                click.echo(receipt["task_id"])
            return 0
        click.echo(f"task {receipt['task_id']}", err=True)
        return _to_the_end(client, receipt["task_id"], as_json)


@click.command()
@click.argument("task", default="latest")
@options.home
@options.service
@click.option("--after", type=click.IntRange(min=0), default=0, help="Number of the last event already seen.")
def watch(task: str, home: Path, api: str | None, after: int) -> int:
    """Follow TASK (an id, `latest` or `previous`) to its end; on this machine, or on a service with --api."""
    from orchestrator.following import follow

    if api is not None:
        with options.client(api) as client:
            return _exit_code(_followed(client.events(client.task_id(task), after), err=False))
    from orchestrator.cli.results import opened
    from orchestrator.embedded import find_task
    from snipbench.clock import SystemClock

    with opened(home) as store:
        return _exit_code(_followed(follow(store, SystemClock(), find_task(store, task), after), err=False))


@click.command()
@click.argument("task", default="latest")
@options.home
@options.service
def cancel(task: str, home: Path, api: str | None) -> None:
    """End TASK (an id, `latest` or `previous`); what was recorded stays, and `retry` goes on."""
    if api is not None:
        with options.client(api) as client:
            answer = client.post(f"/tasks/{client.task_id(task)}/cancel")
        click.echo(f"{answer['task_id']}: to be cancelled")
        return
    from orchestrator import tasks
    from orchestrator.cli.results import opened
    from orchestrator.embedded import find_task
    from snipbench.clock import SystemClock

    with opened(home) as store:
        found = tasks.cancel(store, SystemClock(), find_task(store, task))
    click.echo(f"{found.task_id}: {'cancelled; nobody led it' if found.settled else 'to be cancelled'}")


def remote_status(api: str, task: str, as_json: bool) -> None:
    """``status`` of a task on a service."""
    with options.client(api) as client:
        state = client.task(task)
    if as_json:
        options.print_json(state)
        return
    planned = state["runs_planned"] if state["runs_planned"] is not None else "?"
    click.echo(f"{state['task_id']}: {state['status']}, {state['runs_recorded']} of {planned} runs recorded")
    if state["failure"]:
        click.echo(f"{state['failure']['kind']}: {state['failure']['message']}")


def remote_report(api: str, task: str, home: Path) -> Path:
    """The report of a task on a service, fetched into this machine's home."""
    from orchestrator.leading.parts import Home
    from orchestrator.wiring import made_home

    with options.client(api) as client:
        task_id = client.task_id(task)
        text = client.report(task_id)
    path = Home(made_home(home)).reports / f"{task_id}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def remote_retry(api: str, task: str, as_json: bool) -> int:
    """``retry`` of a task on a service, watched to its end."""
    with options.client(api) as client:
        task_id = client.task_id(task)
        seen = client.task(task_id)["events"]
        client.post(f"/tasks/{task_id}/retry")
        return _to_the_end(client, task_id, as_json, after=seen)


def _to_the_end(client: Any, task_id: str, as_json: bool, *, after: int = 0) -> int:
    """Show events on standard error, then the outcome on standard output."""
    from orchestrator.client.client import ATTEMPTS

    status = _followed(client.events(task_id, after), err=True)
    outcome = client.get(f"/tasks/{task_id}/results", tries=ATTEMPTS)
    if as_json:
        options.print_json(outcome)
    else:
        from analyzer.terminal import print_outcome

        print_outcome(outcome)
    return _exit_code(status)


def _followed(events: Any, *, err: bool) -> str:
    status = ""
    for kind, data in events:
        if kind == "end":
            status = data["status"]
            click.echo(f"ended: {status}", err=err)
            continue
        if kind == "left":
            click.echo(NOBODY_LEADS, err=True)
            continue
        number = f"{data['stage']:>2}" if data["stage"] else "  "
        where = f" [{data['experiment']}]" if data["experiment"] else ""
        click.echo(f"{data['at']}  {number} {data['name']}{where} {data['text']}".rstrip(), err=err)
    return status


def _exit_code(status: str) -> int:
    return EXIT_CODES.get(TaskStatus(status), 1) if status else 1

"""Commands about tasks that were run: ``list``, ``status``, ``show``, ``compare``, ``report``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from orchestrator.cli import judging, options
from snipbench import records
from snipbench.errors import UsageError
from snipbench.store.port import DocumentStore

task_name = click.argument("task", default="latest")


@click.command(name="list")
@options.home
@options.as_json
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
def list_tasks(home: Path, as_json: bool, limit: int) -> None:
    """List tasks, newest first."""
    with opened(home) as store:
        tasks = [
            records.task_from_document(document)
            for document in store.find("tasks", order_by=("-requested_at",), limit=limit)
        ]
    if as_json:
        fields = ("task_id", "order_id", "order_name", "status", "requested_at", "started_at", "ended_at", "report")
        options.print_json([{name: getattr(task, name) for name in fields} for task in tasks])
        return
    for task in tasks:
        click.echo(f"{task.task_id}  {task.status.value:<13}  {task.requested_at[:19]}Z  {task.order_name}")
    if not tasks:
        click.echo("no tasks; `snipbench run ORDER.yaml` makes one")


@click.command()
@task_name
@options.home
@options.service
@options.as_json
def status(task: str, home: Path, api: str | None, as_json: bool) -> None:
    """Show how far TASK (an id, `latest` or `previous`) is; on this machine, or on a service with --api."""
    if api is not None:
        from orchestrator.cli.remote import remote_status

        remote_status(api, task, as_json)
        return
    from orchestrator.cli.remote import NOBODY_LEADS
    from orchestrator.embedded import find_task
    from orchestrator.tasks import is_left
    from snipbench.clock import SystemClock

    with opened(home) as store:
        task_id = find_task(store, task)
        document = store.get("tasks", task_id) or {}
        plan = store.get("plans", task_id)
        events = [records.event_from_document(e) for e in store.find("events", {"task_id": task_id})]
        done = store.count("runs", {"task_id": task_id})
    planned = None if plan is None else len(plan["slots"])
    state = {
        "task_id": task_id,
        "status": document["status"],
        "runs_recorded": done,
        "runs_planned": planned,
        "last_event": events[-1].name if events else None,
        "failure": document.get("failure"),
        "nobody_leads": is_left(records.task_from_document(document), SystemClock()),
    }
    if as_json:
        options.print_json(state)
        return
    click.echo(f"{task_id}: {state['status']}, {done} of {planned if planned is not None else '?'} runs recorded")
    if state["nobody_leads"]:
        click.echo(NOBODY_LEADS)
    for event in events:
        number = f"{event.stage.value:>2}" if event.stage else "  "
        where = f" [{event.experiment}]" if event.experiment else ""
        click.echo(f"{event.at}  {number} {event.name}{where} {event.text}".rstrip())


@click.command()
@task_name
@options.home
@options.as_json
def show(task: str, home: Path, as_json: bool) -> None:
    """Show the results of TASK (an id, `latest` or `previous`)."""
    from analyzer.outcome import task_outcome
    from orchestrator.embedded import find_task

    with opened(home) as store:
        outcome = task_outcome(store, find_task(store, task))
    if as_json:
        options.print_json(outcome)
        return
    from analyzer.terminal import print_outcome

    print_outcome(outcome)


@click.command()
@click.argument("before", default="previous")
@click.argument("after", default="latest")
@options.home
@options.as_json
@judging.fail_if
def compare(before: str, after: str, home: Path, as_json: bool, fail_if: str | None) -> int:
    """Compare task AFTER with task BEFORE: each snippet's ratio with its interval, and what differs around them."""
    from analyzer.compare import compare_tasks
    from orchestrator.embedded import find_task

    threshold = judging.threshold_of(fail_if)
    with opened(home) as store:
        found = compare_tasks(store, find_task(store, before), find_task(store, after))
    if as_json:
        options.print_json(found.to_document())
    else:
        for line in found.lines():
            click.echo(line)
    if threshold is None:
        return 0
    from analyzer.regressions import judge

    return judging.tell(judge(found, threshold))


@click.command()
@task_name
@options.home
@options.service
def report(task: str, home: Path, api: str | None) -> None:
    """Write the HTML report of TASK again and print its path; with --api, fetch it from a service."""
    if api is not None:
        from orchestrator.cli.remote import remote_report

        click.echo(remote_report(api, task, home))
        return
    from analyzer.report import write_report
    from orchestrator.embedded import find_task
    from orchestrator.leading.parts import Home

    with opened(home) as store:
        click.echo(write_report(store, find_task(store, task), Home(home.resolve()).reports))


@contextmanager
def opened(home: Path) -> Iterator[DocumentStore]:
    """The embedded store under ``home``, which must be there."""
    from orchestrator.leading.parts import Home
    from snipbench.store.sqlite import SqliteStore

    place = Home(home.resolve())
    if not place.store.is_file():
        raise UsageError(f"there is nothing at {home}: run an order first, or name its folder with --home")
    store = SqliteStore(place.store)
    try:
        yield store
    finally:
        store.close()

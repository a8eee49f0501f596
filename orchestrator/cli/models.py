"""Commands about performance-class models: ``analyze`` and ``predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options
from orchestrator.cli.results import opened
from snipbench.domain.analysis import Classify, Metric, Search
from snipbench.errors import UsageError

YAML = {".yaml", ".yml"}


@click.command()
@click.argument("task", default="latest")
@options.home
@options.as_json
@click.option("--target", type=click.Choice([metric.value for metric in Metric]), default="wall_seconds")
@click.option("--name", help="Name of the analysis; by default made from the target.")
@click.option(
    "--with", "others", multiple=True, metavar="TASK|ORDER", help="Learn from these too (task id, order name)."
)
@click.option("--trials", type=click.IntRange(min=1, max=10_000), default=50, show_default=True)
@click.option("--export", "export", metavar="FOLDER|URL", help="Where the CSV of the training table goes.")
def analyze(
    task: str,
    home: Path,
    as_json: bool,
    target: str,
    name: str | None,
    others: tuple[str, ...],
    trials: int,
    export: str | None,
) -> int:
    """Learn to predict performance classes from TASK, which was run already; lands the result and renews the report."""
    from analyzer.landing import land
    from analyzer.report import write_report
    from orchestrator import jars
    from orchestrator.embedded import find_task
    from orchestrator.leading.analysis import run_analysis
    from orchestrator.leading.parts import Home
    from orchestrator.leading.profiles import forget_calls, profiled_tables
    from snipbench.clock import SystemClock

    analysis = _wanted(name or f"by-{target.replace('_', '-')}", target, others, trials, export)
    place = Home(home.resolve())

    def say(text: str) -> None:
        click.echo(text, err=True)

    with opened(home) as store:
        found = find_task(store, task)
        report = run_analysis(store, place, found, analysis, SystemClock(), say=say)
        found_jars = jars.ensure(say)
        say("writing to the lake")
        land(place.store, place.lake, found, found_jars, extra=profiled_tables(place, found))
        forget_calls(place, found)
        say("writing the report")
        write_report(store, found, place.reports)
    if as_json:
        options.print_json(report)
    else:
        click.echo(report["sentence"])
    return 1 if report["verdict"] == "failed" else 0


@click.command()
@click.argument("subject", metavar="ORDER.yaml|TASK")
@options.home
@options.as_json
@click.option("--model", "model", metavar="ID", help="Which model; the newest without.")
def predict(subject: str, home: Path, as_json: bool, model: str | None) -> None:
    """Predict the performance class of every snippet of an order, without running it."""
    from analyzer.models.predicting import predict_order
    from orchestrator.leading.parts import Home

    with opened(home) as store:
        order, task_id = _order(store, subject)
        found = predict_order(store, Home(home.resolve()).models, order, model_id=model, task_id=task_id)
    if as_json:
        options.print_json(found)
        return
    for line in _lines(found):
        click.echo(line)
    if found["model"]["verdict"] != "trained":
        click.echo(f"beware: {found['model']['sentence']}", err=True)


def _wanted(name: str, target: str, others: tuple[str, ...], trials: int, export: str | None) -> Classify:
    """The analysis that the options describe.

    Raises:
        UsageError: one of them has no possible value.
    """
    from pydantic import ValidationError

    from orchestrator.orders.structure import NAME_RULES

    if "" in others:
        raise UsageError("--with is empty: a task's id or the name of its order is wanted")
    if export == "":
        raise UsageError("--export is empty: a folder or a URL is wanted")
    try:
        return Classify(
            name=name,
            kind="classify",
            target=Metric(target),
            tasks=("this", *others),
            search=Search(trials=trials),
            export=export,
        )
    except ValidationError as error:
        (detail,) = error.errors(include_url=False)
        raise UsageError(f"--name {name!r}: {NAME_RULES[detail['ctx']['pattern']]}") from None


def _order(store: Any, subject: str) -> tuple[Any, str | None]:
    """The order of a file, or of a task with its id."""
    from orchestrator.embedded import find_task
    from orchestrator.orders import read_order
    from snipbench import records

    path = Path(subject)
    if path.suffix in YAML or path.is_file():
        return read_order(path).order, None
    task_id = find_task(store, subject)
    task = records.task_from_document(store.get("tasks", task_id))
    document = store.get("orders", task.order_id)
    if document is None:
        raise UsageError(f"order {task.order_id} of task {task_id} is not in the store")
    return records.order_from_document(document).order, task_id


def _lines(found: dict[str, Any]) -> list[str]:
    from analyzer.words import parameters_text

    about = found["model"]
    lines = [f"{about['target']} by model {about['model_id']} of {about['trained_at'][:19]}Z"]
    for made in found["predictions"]:
        chances = ", ".join(f"{name} {chance:.0%}" for name, chance in made["probabilities"].items())
        nearest = made["evidence"][0]
        where = f"{made['experiment']}/{made['snippet']} {parameters_text(made['parameters'])}".strip()
        sizes = "" if made["sizes_from"] else "; sizes of the tables are not known"
        like = f"most like {nearest['experiment']}/{nearest['snippet']}, which is {nearest['class']}"
        lines.append(f"{made['class']:<7} {where}  ({chances}; {like}{sizes})")
    return lines

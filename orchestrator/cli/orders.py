"""Commands about order files: ``init``, ``check``, ``plan``, ``schema``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from orchestrator.cli import options


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path())
def init(directory: Path) -> None:
    """Write a commented order that runs, with its snippets, into DIRECTORY."""
    from orchestrator.orders.template import write_example

    written = write_example(directory)
    for path in written:
        click.echo(f"wrote {path}")
    orders = [path for path in written if path.suffix == ".yaml"]
    click.echo(f"now: snipbench run {shlex.quote(str(orders[0]))}")


@click.command()
@options.order_file
@options.overrides
@options.as_json
def check(order: Path, warmups: int | None, repetitions: int | None, seed: int | None, as_json: bool) -> int:
    """Find every mistake in ORDER; exit code 2 if there is one."""
    from orchestrator.orders import read_order
    from orchestrator.orders.warnings import find_warnings
    from snipbench.errors import OrderError

    try:
        loaded = read_order(order, warmups=warmups, repetitions=repetitions, seed=seed)
    except OrderError as error:
        if not as_json:
            raise
        mistakes = [{name: getattr(m, name) for name in m.__slots__} for m in error.mistakes]
        options.print_json({"valid": False, "mistakes": mistakes, "warnings": []})
        return error.exit_code
    found = find_warnings(loaded)
    if as_json:
        options.print_json({"valid": True, "mistakes": [], "warnings": [str(warning) for warning in found]})
        return 0
    for warning in found:
        click.echo(f"warning: {warning}", err=True)
    snippets = sum(len(experiment.snippets) for experiment in loaded.order.experiments)
    click.echo(f"{order}: {len(loaded.order.experiments)} experiments, {snippets} snippets, no mistakes")
    return 0


@click.command()
@options.order_file
@options.home
@options.overrides
@options.as_json
def plan(
    order: Path, home: Path, warmups: int | None, repetitions: int | None, seed: int | None, as_json: bool
) -> None:
    """Show the full, ordered list of runs of ORDER, and the plan's hash. Nothing is run."""
    from orchestrator import planning
    from orchestrator.databases.generators import generator_for
    from orchestrator.databases.prototypes import dataset_hash
    from orchestrator.leading.parts import Home
    from orchestrator.leading.progress import describe
    from orchestrator.medians import earlier_medians
    from orchestrator.orders import read_order

    loaded = read_order(order, warmups=warmups, repetitions=repetitions, seed=seed)
    hashes = {one.name: dataset_hash(generator_for(one.dataset, order.parent)) for one in loaded.order.databases}
    made = planning.make_plan(loaded.order, hashes)
    if as_json:
        options.print_json(planning.plan_document(made))
        return
    medians = earlier_medians(Home(home.resolve()).store, loaded.order.name)
    for slot in made.slots:
        click.echo(f"{slot.position:>5}  {slot.slot_id}  {slot.phase.value:<8}  {slot.repetition:>3}  {describe(slot)}")
    click.echo(f"{len(made.slots)} runs, plan hash {made.plan_hash}")
    estimate = planning.estimate_seconds(made, loaded.order, medians)
    click.echo("time: not known before a first run" if estimate is None else str(estimate))


@click.command()
def schema() -> None:
    """Print the JSON Schema of order files."""
    from orchestrator.orders.schema import order_schema_text

    click.echo(order_schema_text(), nl=False)

"""What went wrong: failed runs, runs that were not made, results that differ or are not known; or that nothing did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from analyzer.summaries import Place
from snipbench.domain.order import Order, Role
from snipbench.domain.plan import Plan, parameter_points
from snipbench.domain.run import Run, RunStatus
from snipbench.domain.task import SnippetResult


@dataclass(frozen=True, slots=True)
class Failed:
    """A run that failed, or a result that is not what it should be."""

    where: str
    times: int
    kind: str
    message: str
    detail: str


def failed_runs(runs: Iterable[Run]) -> list[Failed]:
    """Failed runs, the same failure of one snippet said once with its count."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        failure = run.outcome.failure
        if run.outcome.status is not RunStatus.OK:
            kind = failure.kind if failure else run.outcome.status.value
            found.setdefault((str(Place.of(run)), kind, failure.message if failure else ""), []).append(run)
    failed = []
    for (where, kind, message), same in found.items():
        failure = same[0].outcome.failure
        failed.append(Failed(where, len(same), kind, message, failure.traceback if failure else ""))
    return failed


def doubtful_results(order: Order, results: Iterable[SnippetResult]) -> list[Failed]:
    """Results that could not be had, that changed between passes, that differ from the baseline's, or that nobody
    compared with it."""
    by_place = {Place.of(found): found for found in results}
    doubtful = []
    for experiment in order.experiments:
        for snippet in experiment.snippets:
            for parameters in parameter_points(experiment):
                place = Place(experiment.name, snippet.name, parameters)
                result = by_place.get(place)
                found = [] if result is None else list(_of_result(str(place), result))
                compared = result is not None and (result.comparison is not None or result.failure is not None)
                if snippet.role is Role.VARIANT and not compared:
                    message = f"nothing is known of its result against that of {snippet.baseline}"
                    found.append(Failed(str(place), 1, "result not compared", message, ""))
                doubtful += found
    return doubtful


def unmade_runs(plan: Plan | None, runs: Iterable[Run]) -> int:
    """Runs of the plan that have no accepted one, whatever it showed."""
    return 0 if plan is None else len({slot.slot_id for slot in plan.slots} - {run.slot_id for run in runs})


def all_well(order: Order, runs: Sequence[Run]) -> str:
    """What a task says in which nothing above was found."""
    if not runs:
        return "No run was made"
    variants = any(snippet.role is Role.VARIANT for one in order.experiments for snippet in one.snippets)
    return "Every run ended well" + (", and every variant computed what its baseline did" if variants else "")


def _of_result(where: str, result: SnippetResult) -> Iterator[Failed]:
    if result.failure is not None:
        failure = result.failure
        message = f"{failure.kind}: {failure.message}"
        when = "" if result.facts is None else " in a later pass"
        yield Failed(where, 1, f"result could not be had{when}", message, failure.traceback)
    if result.changed_hashes:
        hashes = ", ".join(value[:12] for value in result.changed_hashes)
        yield Failed(where, 1, "result changed", f"between passes: {hashes}", "")
    comparison = result.comparison
    if comparison is not None and comparison.equality.value in {"different", "inconclusive"}:
        rows = "\n".join(comparison.differing_rows)
        yield Failed(where, 1, f"{comparison.equality.value} result", comparison.reason, rows)

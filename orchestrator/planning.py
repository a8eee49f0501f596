"""The plan: order + dataset hashes -> the full, ordered list of runs (design, sections 3 and 4.1). Pure."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from snipbench.domain.order import Experiment, Order, Schedule, Snippet
from snipbench.domain.plan import Parameters, Phase, Plan, Slot, parameter_points
from snipbench.errors import UsageError
from snipbench.identity import canonical_json, content_hash

RUN_OVERHEAD_SECONDS = 0.05
SESSION_SECONDS = 5.0
CLONE_SECONDS = 1.0
MAX_SLOTS = 200_000
LINE_BYTES = 210
"""Of a run in a plan that is stored, without names and parameters."""
"""More runs than this are taken for a slip of the pen."""


def make_plan(order: Order, dataset_hashes: Mapping[str, str]) -> Plan:
    """All runs of the order, in order. Same order, seed and dataset hashes: same plan, same ``plan_hash``.

    Args:
        order: resolved, as ``orchestrator.orders`` gives it.
        dataset_hashes: dataset hash of each database of the order, by its name.

    Raises:
        UsageError: a database has no dataset hash, or the plan is too long.
    """
    missing = [database.name for database in order.databases if database.name not in dataset_hashes]
    if missing:
        raise UsageError(f"no dataset hash for the databases {', '.join(missing)}")
    if problem := too_many_runs(order):
        raise UsageError(problem)
    slots: list[Slot] = []
    for index, experiment in enumerate(order.experiments):
        contents = {snippet.name: _content(experiment, snippet) for snippet in experiment.snippets}
        for line in _lines(order, experiment, first_session=index * (order.sessions - 1)):
            slot_id = Slot.identify(
                experiment.name,
                line.snippet,
                line.parameters,
                line.phase,
                line.repetition,
                contents[line.snippet],
            )
            slots.append(
                Slot(
                    slot_id=slot_id,
                    position=len(slots),
                    experiment=experiment.name,
                    snippet=line.snippet,
                    parameters=line.parameters,
                    phase=line.phase,
                    repetition=line.repetition,
                    session=line.session,
                    block=line.block,
                )
            )
    hashes = tuple(sorted((database.name, dataset_hashes[database.name]) for database in order.databases))
    return Plan(plan_hash=_plan_hash(order, slots, hashes), slots=tuple(slots), dataset_hashes=hashes)


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as ``plan --json`` prints it (design, section 6)."""
    return {
        "plan_hash": plan.plan_hash,
        "slots": [
            {
                "slot_id": slot.slot_id,
                "experiment": slot.experiment,
                "snippet": slot.snippet,
                "parameters": dict(slot.parameters),
                "phase": slot.phase.value,
                "repetition": slot.repetition,
            }
            for slot in plan.slots
        ],
    }


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how long a plan takes. ``known`` of its ``slots`` stand on earlier medians, the others on a guess."""

    seconds: float
    known: int
    slots: int

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        time = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        return f"about {time} (an estimate; {self.known} of {self.slots} runs are known from earlier tasks)"


Medians = Mapping[tuple[str, str, Parameters], float]
"""Median wall seconds of earlier runs, by experiment, snippet and parameters."""


def estimate_seconds(plan: Plan, order: Order, medians: Medians | None = None) -> Estimate | None:
    """About how long the plan takes; ``None`` where no run of it is known from before.

    The sum over its runs of the median of the same snippet at the same parameters; where there is none, of the
    snippet's mean over the parameters that are known; else of the mean over all that is known. Added are
    ``RUN_OVERHEAD_SECONDS`` a run, ``SESSION_SECONDS`` a session and ``CLONE_SECONDS`` an experiment and session.
    Preparing prototypes, hashing results and landing are not in it.
    """
    wanted = {(slot.experiment, slot.snippet, slot.parameters) for slot in plan.slots}
    known = {key: value for key, value in (medians or {}).items() if key in wanted}
    if not known:
        return None
    by_snippet: dict[tuple[str, str], list[float]] = {}
    for (experiment, snippet, _), value in known.items():
        by_snippet.setdefault((experiment, snippet), []).append(value)
    overall = fmean(known.values())
    seconds = 0.0
    hits = 0
    for slot in plan.slots:
        median = known.get((slot.experiment, slot.snippet, slot.parameters))
        hits += median is not None
        if median is None:
            others = by_snippet.get((slot.experiment, slot.snippet))
            median = fmean(others) if others else overall
        seconds += median + RUN_OVERHEAD_SECONDS
    sessions = len({slot.session for slot in plan.slots})
    seconds += SESSION_SECONDS * sessions + CLONE_SECONDS * len(order.experiments) * order.sessions
    return Estimate(seconds, hits, len(plan.slots))


def too_many_runs(order: Order) -> str | None:
    """What to say of an order whose plan would be too long; ``None`` for any other."""
    planned = sum(planned_runs(order, experiment) for experiment in order.experiments)
    return f"the order asks for {planned} runs; at most {MAX_SLOTS} are planned" if planned > MAX_SLOTS else None


def planned_runs(order: Order, experiment: Experiment) -> int:
    """How many runs the experiment takes, warm-ups of every session included."""
    warmups, repetitions = _counts(experiment)
    points = 1
    for values in experiment.parameters.values():
        points *= len(values)
    return len(experiment.snippets) * points * (warmups * order.sessions + repetitions)


def plan_bytes(order: Order) -> int:
    """How long the plan is at most as a document of the store: it holds a line for each run."""
    total = 0
    for experiment in order.experiments:
        names = 2 * len(experiment.name) + 2 * max(len(snippet.name) for snippet in experiment.snippets)
        values = [
            max(len(canonical_json(value).encode()) for value in found) for found in experiment.parameters.values()
        ]
        keys = sum(len(name) + 8 for name in experiment.parameters)
        total += planned_runs(order, experiment) * (LINE_BYTES + names + keys + sum(values))
    return total


@dataclass(frozen=True, slots=True)
class _Line:
    """A slot before it has an id and a position."""

    snippet: str
    parameters: Parameters
    phase: Phase
    repetition: int
    session: int
    block: str | None


@dataclass(frozen=True, slots=True)
class _Group:
    """A baseline with its floors and variants at one parameter point: what one block repeats."""

    name: str
    """``experiment/baseline/point``; names a block together with the repetition."""
    snippets: tuple[str, ...]
    parameters: Parameters


def _lines(order: Order, experiment: Experiment, *, first_session: int) -> Iterator[_Line]:
    """One experiment's runs. It goes on in the session in which the experiment before it ended."""
    warmups, repetitions = _counts(experiment)
    points = parameter_points(experiment)
    groups = _groups(experiment, points)
    first = 0
    for part in range(order.sessions):
        session = first_session + part
        for snippet in experiment.snippets:
            for point in points:
                for warmup in range(part * warmups, (part + 1) * warmups):
                    yield _Line(snippet.name, point, Phase.WARMUP, warmup, session, None)
        count = repetitions // order.sessions + (1 if part < repetitions % order.sessions else 0)
        for group, snippet_name, repetition in _measured(order, experiment, groups, range(first, first + count)):
            block = f"{group.name}/{repetition}"
            yield _Line(snippet_name, group.parameters, Phase.MEASURED, repetition, session, block)
        first += count


def _measured(
    order: Order, experiment: Experiment, groups: Sequence[_Group], repetitions: range
) -> Iterator[tuple[_Group, str, int]]:
    if order.schedule is Schedule.SEQUENTIAL:
        for group in groups:
            for snippet in group.snippets:
                for repetition in repetitions:
                    yield group, snippet, repetition
        return
    for repetition in repetitions:
        blocks = [(group, list(group.snippets)) for group in groups]
        if order.schedule is Schedule.RANDOMIZED:
            # Seeded by the repetition too: more repetitions leave the earlier ones as they were.
            shuffler = _random(order.seed, experiment.name, repetition)
            shuffler.shuffle(blocks)
            for _, snippets in blocks:
                shuffler.shuffle(snippets)
        for group, snippets in blocks:
            for snippet in snippets:
                yield group, snippet, repetition


def _groups(experiment: Experiment, points: Sequence[Parameters]) -> tuple[_Group, ...]:
    by_baseline: dict[str, list[str]] = {}
    for snippet in experiment.snippets:
        by_baseline.setdefault(snippet.baseline, []).append(snippet.name)
    return tuple(
        _Group(f"{experiment.name}/{baseline}/{index}", tuple(snippets), point)
        for baseline, snippets in by_baseline.items()
        for index, point in enumerate(points)
    )


def _random(seed: int, experiment: str, repetition: int) -> random.Random:
    digest = hashlib.sha256(canonical_json([seed, experiment, repetition]).encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))


def _counts(experiment: Experiment) -> tuple[int, int]:
    if not isinstance(experiment.warmups, int) or not isinstance(experiment.repetitions, int):
        raise UsageError(f"experiment {experiment.name!r}: automatic counts cannot be planned beforehand")
    return experiment.warmups, experiment.repetitions


def _content(experiment: Experiment, snippet: Snippet) -> str:
    """Hash of what will run: not the names of files, tags or templates."""
    what = snippet.model_dump(
        mode="json", exclude={"name", "file", "variant_of", "role", "template", "tags"}, exclude_none=True
    )
    tables = [table.model_dump(mode="json") for table in experiment.tables]
    return content_hash({"snippet": what, "tables": tables, "source": experiment.source, "on": experiment.database})


def _plan_hash(order: Order, slots: Sequence[Slot], hashes: tuple[tuple[str, str], ...]) -> str:
    """Hash of all that decides what is run, in which order, on what and under which settings."""
    lines = [[slot.slot_id, slot.session, slot.block] for slot in slots]
    settings = order.model_dump(
        mode="json",
        include={"seed", "schedule", "sessions", "calibrate", "float_tolerance", "profile", "spark"},
    )
    experiments = [
        experiment.model_dump(mode="json", include={"name", "database", "warmups", "repetitions", "timeout_seconds"})
        for experiment in order.experiments
    ]
    databases = [
        database.model_dump(mode="json", include={"name", "image", "settings", "limits"})
        for database in order.databases
    ]
    return content_hash(
        {
            "slots": lines,
            "settings": settings,
            "experiments": experiments,
            "databases": databases,
            "datasets": hashes,
        }
    )

"""What `snipbench check` warns of: code and input that may give another result each time they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from orchestrator.orders.code import TextPlace
from orchestrator.orders.effort import Effort
from orchestrator.orders.python_code import CodeProblem
from orchestrator.orders.read import LoadedOrder
from orchestrator.orders.volatile_python import volatile_calls
from orchestrator.orders.volatile_sql import volatile_parts
from snipbench.domain.order import Experiment, Kind, Order, Role

MAX_WARNINGS = 100


@dataclass(frozen=True, slots=True)
class OrderWarning:
    """Something that is allowed and probably not meant. ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: warning: {self.message}"


def find_warnings(loaded: LoadedOrder, effort: Effort | None = None) -> tuple[OrderWarning, ...]:
    """The warnings of an order without mistakes, in the order of its snippets; at most ``MAX_WARNINGS``.

    Raises:
        OrderError: looking for them takes more than the ``effort``.
    """
    found: dict[OrderWarning, None] = {}
    effort = effort or Effort(loaded.file)
    every = chain(
        *(_experiment(loaded, experiment, effort) for experiment in loaded.order.experiments),
        _unused_databases(loaded.file, loaded.order),
    )
    for warning in every:
        found[warning] = None
        if len(found) == MAX_WARNINGS:
            break
    return tuple(found)


def _experiment(loaded: LoadedOrder, experiment: Experiment, effort: Effort) -> Iterator[OrderWarning]:
    for snippet in experiment.snippets:
        effort.check(snippet.code)
        if snippet.role is Role.FLOOR:
            continue
        places = loaded.places[experiment.name, snippet.name]
        path = f"experiments.{experiment.name}.{snippet.name}"
        problems = volatile_parts(snippet.code) if snippet.kind is Kind.SQL else volatile_calls(snippet.code)
        yield from _placed(problems, places.code, f"{path}.code")
        if snippet.input is not None and places.input is not None:
            effort.check(snippet.input)
            yield from _placed(volatile_parts(snippet.input), places.input, f"{path}.input")


def _placed(problems: Iterable[CodeProblem], place: TextPlace, path: str) -> Iterator[OrderWarning]:
    for problem in problems:
        yield OrderWarning(*place.at(problem.line, problem.column), path, problem.message)


def _unused_databases(file: str, order: Order) -> Iterator[OrderWarning]:
    used = {experiment.database for experiment in order.experiments}
    for database in order.databases:
        if database.name not in used:
            yield OrderWarning(file, 1, 1, f"databases.{database.name}", "no experiment uses this database")

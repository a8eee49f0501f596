"""The plan: the full, ordered list of runs that an order asks for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum

from snipbench.domain.order import Experiment, Scalar
from snipbench.identity import content_hash


class Phase(StrEnum):
    """Whether a run fills caches or is measured."""

    WARMUP = "warmup"
    MEASURED = "measured"


Parameters = tuple[tuple[str, Scalar], ...]
"""One point of the parameter matrix: ``(name, value)`` sorted by name."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A line of the plan.

    ``repetition`` counts from 0 within snippet, parameters, phase and session-spanning order. ``block`` names the
    repetition of all variants of one baseline at one parameter point (``None`` for warm-ups); pairs are formed
    within it. ``session`` counts the fresh sessions of the order from 0.
    """

    slot_id: str
    position: int
    experiment: str
    snippet: str
    parameters: Parameters
    phase: Phase
    repetition: int
    session: int
    block: str | None

    @staticmethod
    def identify(
        experiment: str, snippet: str, parameters: Parameters, phase: Phase, repetition: int, content: str
    ) -> str:
        """``slot_id``: 20 hexadecimal digits; ``content`` is the hash of what will run."""
        return content_hash([experiment, snippet, parameters, phase, repetition, content], length=20)


@dataclass(frozen=True, slots=True)
class Plan:
    """All slots in the order in which they will run, and the hash that names the plan."""

    plan_hash: str
    slots: tuple[Slot, ...]
    dataset_hashes: tuple[tuple[str, str], ...]
    """``(database name, dataset hash)``."""

    def of_experiment(self, name: str) -> tuple[Slot, ...]:
        """The slots of one experiment, in order."""
        return tuple(slot for slot in self.slots if slot.experiment == name)


def parameter_points(experiment: Experiment) -> tuple[Parameters, ...]:
    """The parameter matrix: every combination of values, names sorted, values in the file's order.

    An experiment without parameters has one point, the empty one.
    """
    names = sorted(experiment.parameters)
    return tuple(
        tuple(zip(names, values, strict=True))
        for values in itertools.product(*(experiment.parameters[name] for name in names))
    )

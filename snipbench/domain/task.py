"""Orders as received, their run-throughs, and what belongs to each: results of snippets, the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snipbench.domain.order import Order, Scalar
from snipbench.domain.plan import Parameters
from snipbench.domain.result import Comparison, ResultFacts
from snipbench.domain.run import Failure, TaskStatus
from snipbench.identity import content_hash


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """A submitted order: the file's text as it came, and the model that it gave with the overrides applied.

    ``overrides`` holds what the request changed: ``warmups``, ``repetitions``, ``seed``. ``files`` holds name and text
    of the files that came along with an order that has no folder of its own; ``source`` says where such an order is
    from (``kind``, ``location``, ``sha256``, ``commit``).
    """

    order_id: str
    file: str
    text: str
    order: Order
    submitted_at: str
    overrides: dict[str, Scalar] = field(default_factory=dict)
    files: tuple[tuple[str, str], ...] = ()
    source: dict[str, Scalar | None] | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leads a task, until when; ``token`` rises with every change of holder and fences the former one off.

    ``holder`` is empty once it was given back. ``recorded`` counts the runs and attempts that stood in the store when
    it was taken; ``fruitless`` how often in a row it was taken without a new one since the time before.
    """

    holder: str
    token: int
    expires_at: str
    recorded: int = 0
    fruitless: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One run-through of an order. ``version`` is the store's, for compare and set; 0 before the first write.

    ``settled`` says that no leader has anything left to do, the report included; a retry takes it back.
    """

    task_id: str
    order_id: str
    order_name: str
    status: TaskStatus
    requested_at: str
    mode: str = "embedded"
    plan_hash: str | None = None
    seed: int | None = None
    started_at: str | None = None
    ended_at: str | None = None
    environment_id: str | None = None
    failure: Failure | None = None
    report: str | None = None
    cancel_requested: bool = False
    lease: Lease | None = None
    settled: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class SnippetResult:
    """What a snippet computed at one parameter point, against its baseline.

    ``comparison`` is ``None`` for a baseline, and where one side has no result. ``changed_hashes`` lists hashes
    that differ from ``facts.result_hash``, seen in other repetitions or sessions. ``failure`` beside ``facts`` is that
    of a later pass; ``comparison`` is the worst of all passes.
    """

    task_id: str
    experiment: str
    snippet: str
    parameters: Parameters
    baseline: str
    clone_id: str
    facts: ResultFacts | None
    comparison: Comparison | None = None
    changed_hashes: tuple[str, ...] = ()
    failure: Failure | None = None


MOMENT = "moment"
"""Area of facts that change from minute to minute (load, steal); no part of the fingerprint."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Facts of the machine and the software that a task ran on (design, rule 9), grouped by area.

    ``facts`` is ``{area: {name: value}}``, values being JSON scalars or ``None`` where the machine does not tell.
    """

    facts: dict[str, dict[str, Any]]
    recorded_at: str

    @property
    def environment_id(self) -> str:
        """Id of this very reading of the facts."""
        return content_hash(self.facts, length=20)

    @property
    def fingerprint(self) -> str:
        """Hash of the lasting facts: equal environments have equal fingerprints."""
        return content_hash({area: facts for area, facts in self.facts.items() if area != MOMENT}, length=20)


Facts = Mapping[str, Mapping[str, Any]]
"""``{area: {name: value}}``."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that differs; ``None`` where one side does not have it."""

    area: str
    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.area}.{self.name}: {self.before} -> {self.after}"


def differences(before: Facts, after: Facts) -> tuple[Difference, ...]:
    """What is not the same in both, by area and name."""
    left, right = (
        {(area, name): fact for area in facts for name, fact in facts[area].items()} for facts in (before, after)
    )
    return tuple(
        Difference(*key, left.get(key), right.get(key))
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    )

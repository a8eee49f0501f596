"""Taking in an order that was submitted: checked, resolved, stored with its files, its task queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.leading.taskbook import TaskBook
from orchestrator.orders import parse_order
from orchestrator.orders.effort import Effort
from orchestrator.orders.sources import InlinedSources, Sources
from orchestrator.planning import plan_bytes, planned_runs
from snipbench.clock import Clock, to_text
from snipbench.domain.model import Scalar
from snipbench.domain.order import Order
from snipbench.domain.task import OrderRecord
from snipbench.errors import UsageError
from snipbench.identity import new_id
from snipbench.store.port import DocumentStore

MAX_FILES = 500
MAX_FILES_CHARACTERS = 4 * 2**20
"""An order is one document of the store, which has room for 16 MB."""
MAX_PLAN_BYTES = 15_000_000
"""A plan is one document as well."""
MAX_READING_SECONDS = 10.0
"""Of the processor, for an order that somebody else sent."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """An order's text, and where the files that it names come from.

    ``origin`` says where it is from, for the record: ``kind`` (``body``, ``http``, ``gitlab``), ``location``,
    ``sha256``, ``commit``.
    """

    text: str
    file_name: str
    sources: Sources
    origin: Mapping[str, Scalar | None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a submission is answered with."""

    order_id: str
    task_id: str
    experiment_ids: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Kept:
    """Implements the port of an order's files and keeps each text that was read through it, for the record."""

    inner: Sources
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> None:
        """None: what comes along with an order lies in no folder here."""
        return

    def read(self, name: str) -> str:
        """See the port."""
        if name not in self.texts:
            if len(self.texts) >= MAX_FILES:
                raise UsageError(f"an order names at most {MAX_FILES} files")
            self.texts[name] = self.inner.read(name)
            if sum(map(len, self.texts.values())) > MAX_FILES_CHARACTERS:
                raise UsageError(
                    f"the files that an order names have at most {MAX_FILES_CHARACTERS} characters together"
                )
        return self.texts[name]

    def check(self, name: str) -> None:
        """See the port; what is named is needed, so it is read."""
        self.read(name)


def inlined(text: str, *, file_name: str = "order.yaml", files: Mapping[str, str] | None = None) -> Configuration:
    """A configuration that came whole in a request."""
    return Configuration(text, file_name, InlinedSources(files or {}), {"kind": "body", "location": file_name})


def new_ids(clock: Clock) -> tuple[str, str]:
    """Fresh ids of an order and its task."""
    now = clock.now()
    return new_id("order", now), new_id("task", now)


def take_in(
    store: DocumentStore,
    clock: Clock,
    configuration: Configuration,
    overrides: Mapping[str, int | None],
    ids: tuple[str, str],
    *,
    mode: str = "services",
) -> Receipt:
    """Store an order and queue its task. The same ids again store nothing twice.

    Raises:
        OrderError: the order has mistakes, all of them; or it takes more than ``MAX_READING_SECONDS`` to read.
        UsageError: an override is out of range.
        SourceError: a file that the order names could not be fetched.
    """
    from orchestrator.orders.warnings import find_warnings

    kept = Kept(configuration.sources)
    effort = Effort(configuration.file_name, MAX_READING_SECONDS)
    loaded = parse_order(
        configuration.text,
        file_name=configuration.file_name,
        sources=kept,
        effort=effort,
        warmups=overrides.get("warmups"),
        repetitions=overrides.get("repetitions"),
        seed=overrides.get("seed"),
    )
    _refuse_local_export(loaded.order)
    _refuse_long_plan(loaded.order)
    warnings = find_warnings(loaded, effort)
    order_id, task_id = ids
    record = OrderRecord(
        order_id=order_id,
        file=configuration.file_name,
        text=configuration.text,
        order=loaded.order,
        submitted_at=to_text(clock.now()),
        overrides={name: value for name, value in overrides.items() if value is not None},
        files=tuple(sorted(kept.texts.items())),
        source=dict(configuration.origin),
    )
    TaskBook.create(store, clock, record, mode=mode, task_id=task_id)
    return Receipt(
        order_id,
        task_id,
        experiment_ids(task_id, [experiment.name for experiment in loaded.order.experiments]),
        tuple(str(warning) for warning in warnings),
    )


def _refuse_local_export(order: Order) -> None:
    """A submitted order names no folder of the machine that runs it."""
    for analysis in order.analyses:
        export = getattr(analysis, "export", None)
        if export is not None and ("://" not in export or export.startswith(("file:", "local:"))):
            raise UsageError(f"analyses.{analysis.name}.export: a submitted order exports to an object store only")


def _refuse_long_plan(order: Order) -> None:
    """A plan that the store has no room for would end its task only when somebody leads it."""
    size = plan_bytes(order)
    if size > MAX_PLAN_BYTES:
        runs = sum(planned_runs(order, experiment) for experiment in order.experiments)
        raise UsageError(
            f"the order asks for {runs} runs, a plan of {size / 1e6:.0f} MB; a service keeps plans of at most "
            f"{MAX_PLAN_BYTES / 1e6:.0f} MB: split the order, or run it on one machine"
        )


def experiment_ids(task_id: str, names: list[str]) -> tuple[str, ...]:
    """Ids of a task's experiments: the task's and the experiment's name."""
    return tuple(f"{task_id}:{name}" for name in names)

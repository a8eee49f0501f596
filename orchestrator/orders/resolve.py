"""The file's shape -> the resolved order: variants complete, code in place, floors added, overrides applied. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.orders.kinds import INHERITED_KEYS, takes
from orchestrator.orders.shape import ExperimentShape, OrderShape, SnippetShape
from snipbench.domain.database import Database
from snipbench.domain.order import AutoRepetitions, Experiment, Kind, Order, OrderKeys, Role, Snippet, Table

Codes = Mapping[tuple[int, int], str]
"""Code of each snippet, by the indexes of its experiment and of itself."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a request puts in the place of the file's values; ``None`` leaves them."""

    warmups: int | None = None
    repetitions: int | None = None
    seed: int | None = None

    def repetitions_of(self, experiment: ExperimentShape) -> int | AutoRepetitions:
        """The repetitions that hold."""
        return experiment.repetitions if self.repetitions is None else self.repetitions


def resolve(shape: OrderShape, codes: Codes, overrides: Overrides) -> Order:
    """The order that a file without mistakes asks for."""
    common = {key: getattr(shape, key) for key in OrderKeys.model_fields}
    if overrides.seed is not None:
        common["seed"] = overrides.seed
    return Order(
        **common,
        databases=tuple(
            Database(name=name, **{key: getattr(body, key) for key in type(body).model_fields})
            for name, body in shape.databases.items()
        ),
        experiments=tuple(
            _experiment(
                experiment, {inner: code for (outer, inner), code in codes.items() if outer == index}, overrides
            )
            for index, experiment in enumerate(shape.experiments)
        ),
        analyses=shape.analyses,
    )


def inherit(snippet: SnippetShape, baseline: SnippetShape | None) -> SnippetShape:
    """A variant with what it takes over from its baseline; any other snippet as it is."""
    if baseline is None:
        return snippet
    taken = {
        key: getattr(baseline, key)
        for key in INHERITED_KEYS
        if key not in snippet.model_fields_set and takes(snippet.kind, key)
    }
    return snippet.model_copy(update=taken)


def _experiment(shape: ExperimentShape, codes: Mapping[int, str], overrides: Overrides) -> Experiment:
    by_name = {snippet.name: snippet for snippet in shape.snippets}
    snippets = tuple(
        _snippet(inherit(snippet, by_name.get(snippet.variant_of or "")), codes[index])
        for index, snippet in enumerate(shape.snippets)
    )
    return Experiment(
        name=shape.name,
        database=shape.database,
        source=shape.source,
        warmups=shape.warmups if overrides.warmups is None else overrides.warmups,
        repetitions=overrides.repetitions_of(shape),
        timeout_seconds=shape.timeout_seconds,
        tables=tuple(table if isinstance(table, Table) else Table(name=table) for table in shape.tables),
        parameters={
            name: values if isinstance(values, tuple) else (values,) for name, values in shape.parameters.items()
        },
        snippets=with_floors(snippets),
    )


def _snippet(shape: SnippetShape, code: str) -> Snippet:
    keys = {key: getattr(shape, key) for key in SnippetShape.model_fields if key not in {"code", "template"}}
    return Snippet(
        **keys,
        code=code,
        template=shape.template or shape.variant_of or shape.name,
        role=Role.BASELINE if shape.variant_of is None else Role.VARIANT,
    )


def with_floors(snippets: tuple[Snippet, ...]) -> tuple[Snippet, ...]:
    """Add the platform's input-only runs: one per distinct input of the UDFs of a baseline's group.

    The first is called ``<baseline>.input``; should a variant have an input of its own, its floor is called
    ``<variant>.input``. A floor stands right behind the snippet that first brings its input.
    """
    result: list[Snippet] = []
    seen: set[tuple[str, str]] = set()
    named: set[str] = set()
    for snippet in snippets:
        result.append(snippet)
        if not snippet.kind.is_udf or snippet.input is None or (snippet.baseline, snippet.input) in seen:
            continue
        seen.add((snippet.baseline, snippet.input))
        owner = snippet.name if snippet.baseline in named else snippet.baseline
        named.add(owner)
        result.append(
            Snippet(
                name=f"{owner}.input",
                kind=Kind.SQL,
                code=snippet.input,
                variant_of=snippet.baseline,
                role=Role.FLOOR,
                template=snippet.template,
                allow_all_null=True,
            )
        )
    return tuple(result)

"""The shape of an order *file* (design, section 5), where it differs from the resolved order of the domain.

The JSON Schema is made from these models.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from snipbench.domain.analysis import Analysis
from snipbench.domain.database import DatabaseBody
from snipbench.domain.model import Identifier, Name, Scalar, ScalarValue
from snipbench.domain.order import ExperimentKeys, OrderKeys, SnippetKeys, Table
from snipbench.identity import canonical_json


class SnippetShape(SnippetKeys):
    """A snippet as written. A variant inherits what it does not state (see ``orchestrator.orders.resolve``)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["code"]}, {"required": ["file"]}]})

    name: Name
    code: str | None = Field(default=None, min_length=1)
    template: Name | None = None


def _form(value: Any) -> str:
    return "<Table>" if isinstance(value, dict | Table) else "<name>"


TableShape = Annotated[
    Annotated[Identifier, Tag("<name>")] | Annotated[Table, Tag("<Table>")],
    Discriminator(_form),
]
"""A table's name, or the table with its options."""


def _distinct(values: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Runs are told apart by their parameters, as Python compares them: for it 1, 1.0 and true are the same."""
    seen: dict[Scalar, str] = {}
    for value in values:
        shown = canonical_json(value)
        if value in seen:
            same = "" if seen[value] == shown else f": it equals {seen[value]}; a parameter's values must differ"
            raise PydanticCustomError("repeated", "value {shown} stands twice{same}", {"shown": shown, "same": same})
        seen[value] = shown
    return values


ValuesShape = Annotated[
    Annotated[
        Annotated[tuple[ScalarValue, ...], Field(min_length=1, max_length=1000), AfterValidator(_distinct)],
        Tag("<values>"),
    ]
    | Annotated[ScalarValue, Tag("<value>")],
    Discriminator(lambda value: "<values>" if isinstance(value, list | tuple) else "<value>"),
]
"""A parameter's values: a list, or one value."""


class ExperimentShape(ExperimentKeys):
    """An experiment as written."""

    tables: tuple[TableShape, ...] = ()
    parameters: dict[Identifier, ValuesShape] = Field(default_factory=dict)
    snippets: Annotated[tuple[SnippetShape, ...], Field(min_length=1)]


class OrderShape(OrderKeys):
    """An order file."""

    databases: Annotated[dict[Name, DatabaseBody], Field(min_length=1)]
    experiments: Annotated[tuple[ExperimentShape, ...], Field(min_length=1)]
    analyses: tuple[Analysis, ...] = ()

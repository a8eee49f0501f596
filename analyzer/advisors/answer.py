"""What a language model must answer: its schema, and reading it from whatever text came."""

from __future__ import annotations

import ast
import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from analyzer.advisors.port import Brief, Potential
from snipbench.domain.order import UDF_KINDS, Kind

MAX_CODE = 50_000
"""Characters of code that are taken."""


_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""What a person who reads a text does not see, or sees elsewhere than a computer does: orders to a terminal, signs that
turn the direction of writing, signs without a width."""


class Answer(BaseModel):
    """A model's answer, well-formed. More keys than these are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    potential: Potential
    suggestions: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=4_000)], ...], Field(max_length=50)]
    code: Annotated[str | None, Field(max_length=MAX_CODE)] = None
    kind: Kind | None = None
    entry: Annotated[str | None, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")] = None
    estimated_reduction: Annotated[float | None, Field(ge=0, le=1)] = None

    @field_validator("suggestions")
    @classmethod
    def _readable(cls, suggestions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_UNSEEN.sub("\ufffd", suggestion) for suggestion in suggestions)


class NoAnswer(Exception):
    """The text holds no answer that can be used; the message says what is wrong with it."""


def kinds_for(kind: Kind) -> tuple[Kind, ...]:
    """Kinds that a rewrite of a snippet of this kind may have, its own first."""
    if kind in UDF_KINDS:
        others = [Kind.SQL, Kind.ARROW_UDF, Kind.PANDAS_UDF, Kind.ARROW_PYTHON_UDF, Kind.PYTHON_UDF]
        return (kind, *(other for other in others if other is not kind))
    if kind in (Kind.SQL, Kind.DATAFRAME):
        return (kind, Kind.DATAFRAME if kind is Kind.SQL else Kind.SQL)
    return (kind,)


def response_format(kind: Kind) -> dict[str, Any]:
    """The ``response_format`` that asks for an :class:`Answer` (strict form: every key required, nothing else)."""
    properties: dict[str, Any] = {
        "potential": {"type": "string", "enum": [potential.value for potential in Potential]},
        "suggestions": {"type": "array", "items": {"type": "string"}},
        "code": {"type": ["string", "null"]},
        "kind": {"type": ["string", "null"], "enum": [*(kind.value for kind in kinds_for(kind)), None]},
        "entry": {"type": ["string", "null"]},
        "estimated_reduction": {"type": ["number", "null"]},
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "advice", "strict": True, "schema": schema}}


def read_answer(text: str, brief: Brief) -> Answer:
    """The answer in a text: the text itself, or the first JSON object in it that is one.

    Raises:
        NoAnswer: there is none.
    """
    problem = "there is no JSON object in it"
    for found in _objects(text):
        try:
            answer = Answer.model_validate(found)
        except ValidationError as error:
            problem = "; ".join(
                f"{'.'.join(map(str, part['loc'])) or 'answer'}: {part['msg']}"
                for part in error.errors(include_input=False, include_url=False)[:5]
            )
            continue
        return _fitting(answer, brief)
    raise NoAnswer(problem)


def _objects(text: str, *, at_most: int = 50) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    start = text.find("{")
    for _ in range(at_most):
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            found.append(value)
        start = text.find("{", end)
    return found


def _fitting(answer: Answer, brief: Brief) -> Answer:
    """The answer if its code can be of use to the snippet; code that repeats the snippet's counts as none."""
    if answer.code is None or not answer.code.strip():
        return answer.model_copy(update={"code": None, "kind": None})
    unseen = set(_UNSEEN.findall(answer.code)) - set(brief.code)
    if unseen:
        names = ", ".join(sorted(f"U+{ord(sign):04X}" for sign in unseen))
        raise NoAnswer(f"code: it holds signs that nobody sees: {names}; write them as escapes")
    kind = answer.kind or brief.kind
    if kind not in kinds_for(brief.kind):
        raise NoAnswer(f"kind: {kind.value} cannot replace {brief.kind.value}")
    entry = answer.entry or brief.entry
    if kind is not Kind.SQL:
        problem = _python_problem(answer.code, entry)
        if problem:
            raise NoAnswer(problem)
    if kind is brief.kind and answer.code.strip() == brief.code.strip():
        return answer.model_copy(update={"code": None, "kind": None})
    return answer.model_copy(update={"kind": kind, "entry": entry})


def _python_problem(code: str, entry: str) -> str | None:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"code: {error}"
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return None if entry in names else f"code: there is no function {entry!r} in it"

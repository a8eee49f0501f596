"""The port of advisors: what they are told, what they answer, what they may spend (design, section 8).

Implementations: ``analyzer.advisors.rules`` (no language model), ``.llm`` (any OpenAI-compatible endpoint),
``.scripted`` (answers from a file). ``analyzer.advisors.choosing`` picks one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from analyzer.advisors.budget import TokenBudget
from snipbench.domain.model import Scalar
from snipbench.domain.order import Kind, Role, Snippet


class Potential(StrEnum):
    """How much there is to gain by rewriting a snippet, in an advisor's opinion."""

    HIGH = "high"
    MED = "med"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class TableShape:
    """Names and Spark SQL types of a view's columns. ``rows`` is the table's size where it is known."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """What the snippet took at one parameter point, in seconds: the median with its 95 % interval."""

    parameters: Mapping[str, Scalar]
    wall_seconds: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """All that an advisor is told of a snippet: never a data row, never a secret.

    ``input_columns`` are names and Spark SQL types of the columns of ``input``; ``None`` where they are not known.
    ``result_columns`` likewise of the result. ``metrics`` are medians over the runs by name with unit suffix (Spark's
    own, CPU and memory); missing is ``None``.
    """

    task_id: str
    experiment: str
    snippet: str
    kind: Kind
    code: str
    entry: str = "run"
    input: str | None = None
    returns: str | None = None
    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    plan: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    tables: tuple[TableShape, ...] = ()
    input_columns: tuple[tuple[str, str], ...] | None = None
    result_columns: tuple[tuple[str, str], ...] | None = None
    timings: tuple[Timing, ...] = ()

    @property
    def name(self) -> str:
        """``experiment/snippet``, as ``suggest --json`` writes it."""
        return f"{self.experiment}/{self.snippet}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an answer cost. ``estimated``: the endpoint did not tell, so an upper bound was taken."""

    tokens: int = 0
    calls: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """An advisor's answer. ``code`` is the rewritten snippet, ``None`` where there is advice in words only.

    ``kind``, ``entry`` and ``returns`` say what the code is: a rewrite may change the kind (``python_udf`` to
    ``sql``). ``estimated_reduction`` is the expected share of the time saved (0 to 1), ``None`` where nobody can say.
    ``notes`` say what was done differently from what was asked for (a fall-back that was taken).
    """

    potential: Potential
    suggestions: tuple[str, ...]
    advisor: str
    code: str | None = None
    kind: Kind | None = None
    entry: str = "run"
    returns: str | None = None
    estimated_reduction: float | None = None
    model: str | None = None
    usage: Usage = Usage()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.code is None) != (self.kind is None):
            raise ValueError("code and kind come together")
        if self.estimated_reduction is not None and not 0 <= self.estimated_reduction <= 1:
            raise ValueError("estimated_reduction is a share of the time, 0 to 1")


class Advisor(Protocol):
    """Port. One instance serves one order; calls are made one after the other."""

    @property
    def name(self) -> str:
        """``rules``, ``llm`` or ``scripted``."""
        ...

    def advise(self, brief: Brief, budget: TokenBudget) -> Advice:
        """Look at a snippet and say what could be better.

        Nothing is executed. The call ends within the advisor's own time-out and spends no more than ``budget`` has.

        Raises:
            AdviceFailed: there is no usable answer; the error says why and whether asking again can help.
        """
        ...


def as_variant(advice: Advice, original: Snippet, *, name: str) -> Snippet | None:
    """The advised code as a variant of the snippet it is to replace; ``None`` where there is no code.

    Raises:
        ValueError: ``name`` is no snippet name.
    """
    if advice.code is None or advice.kind is None:
        return None
    keeps_input = advice.kind.is_udf or advice.kind == original.kind
    return Snippet.model_validate(
        original.model_dump(mode="json")
        | {
            "name": name,
            "kind": advice.kind.value,
            "code": advice.code,
            "file": None,
            "entry": advice.entry,
            "variant_of": original.name,
            "role": Role.VARIANT.value,
            "input": original.input if keeps_input else None,
            "returns": (advice.returns or original.returns) if keeps_input else None,
        }
    )

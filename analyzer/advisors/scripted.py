"""The advisor that answers from a file: for tests, demonstrations, and rewrites that a person wrote.

The file is YAML or JSON: a mapping of ``experiment/snippet`` (or ``*`` for every other one) to an answer, or to a list
of answers that are given in turn, the last one for ever::

    exchange/row:
      potential: high
      suggestions: [let the JVM add]
      kind: sql
      code: select cast(l_quantity as double) + 1 from lineitem where l_orderkey <= :max_orderkey
      estimated_reduction: 0.9
    queries/shipping-sql: {error: timeout}

``error`` is a reason of :class:`~snipbench.errors.AdviceFailed`; ``tokens`` says what an answer costs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.port import Advice, Brief, Potential, Usage
from snipbench.domain.model import Model
from snipbench.domain.order import Kind
from snipbench.errors import AdviceFailed, UsageError


class ScriptedAnswer(Model):
    """One answer in the file."""

    potential: Potential = Potential.MED
    suggestions: tuple[str, ...] = ()
    code: str | None = None
    kind: Kind | None = None
    entry: str | None = None
    returns: str | None = None
    estimated_reduction: Annotated[float | None, Field(ge=0, le=1)] = None
    tokens: Annotated[int, Field(ge=0)] = 0
    error: str | None = None


_SCRIPT = TypeAdapter(dict[str, ScriptedAnswer | tuple[ScriptedAnswer, ...]])


class ScriptedAdvisor:
    """Gives the answers that it was given."""

    name = "scripted"

    def __init__(self, answers: dict[str, tuple[ScriptedAnswer, ...]], *, model: str | None = None) -> None:
        self._answers = answers
        self._model = model
        self._asked: dict[str, int] = {}

    def advise(self, brief: Brief, budget: TokenBudget) -> Advice:
        """The next answer to this snippet.

        Raises:
            AdviceFailed: the file has none, or says to fail.
        """
        key = brief.name if brief.name in self._answers else "*"
        answers = self._answers.get(key)
        if not answers:
            raise AdviceFailed("unscripted", f"the script has no answer to {brief.name}")
        turn = self._asked.get(brief.name, 0)
        self._asked[brief.name] = turn + 1
        answer = answers[min(turn, len(answers) - 1)]
        tokens = budget.reserve(answer.tokens).settle(answer.tokens)
        if answer.error is not None:
            raise AdviceFailed(answer.error, f"the script says to fail: {answer.error}", tokens=tokens)
        return Advice(
            potential=answer.potential,
            suggestions=answer.suggestions,
            advisor=self.name,
            code=answer.code,
            kind=None if answer.code is None else answer.kind or brief.kind,
            entry=answer.entry or brief.entry,
            returns=answer.returns,
            estimated_reduction=answer.estimated_reduction,
            model=self._model,
            usage=Usage(tokens, 1),
        )


def read_script(path: Path) -> ScriptedAdvisor:
    """The advisor that a file describes.

    Raises:
        UsageError: the file cannot be read or is no script.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        script = _SCRIPT.validate_python(document or {})
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the advisor's script {str(path)!r}: {error}") from error
    except (YAMLError, ValidationError) as error:
        raise UsageError(f"{str(path)!r} is no advisor's script: {error}") from error
    return ScriptedAdvisor(
        {key: value if isinstance(value, tuple) else (value,) for key, value in script.items()}, model=path.name
    )

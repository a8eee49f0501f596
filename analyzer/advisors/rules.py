"""The advisor without a language model: rules with code where a rewrite is mechanical, and linters for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.linters import lint
from analyzer.advisors.pandas_loops import row_loops
from analyzer.advisors.port import Advice, Brief, Potential
from analyzer.advisors.proposal import Proposal, Rule
from analyzer.advisors.row_udfs import arrow_batches, arrow_rows, native_form, pandas_forms
from analyzer.advisors.sql_rewrites import sql_forms

RULES: tuple[Rule, ...] = (native_form, arrow_batches, arrow_rows, pandas_forms, row_loops, sql_forms)
"""In the order in which their code is preferred where the estimates do not tell."""

_ORDER = (Potential.HIGH, Potential.MED, Potential.LOW)


class RulesAdvisor:
    """Static advice. It proposes the code from which most is expected; it spends no tokens and runs nothing."""

    name = "rules"

    def advise(self, brief: Brief, budget: TokenBudget) -> Advice:
        """What the rules say. Nothing to say is potential ``low`` with no suggestion."""
        linted = lint(brief)
        proposals = [*(proposal for rule in RULES for proposal in rule(brief)), *linted.proposals]
        best = _best(proposals)
        # The proposal whose code is given speaks first.
        ordered = sorted(proposals, key=lambda proposal: (proposal is not best, _ORDER.index(proposal.potential)))
        return Advice(
            potential=min((proposal.potential for proposal in proposals), key=_ORDER.index, default=Potential.LOW),
            suggestions=tuple(dict.fromkeys(proposal.text for proposal in ordered)),
            advisor=self.name,
            code=None if best is None else best.code,
            kind=None if best is None else best.kind,
            entry=brief.entry if best is None else best.entry,
            estimated_reduction=None if best is None else best.estimated_reduction,
            notes=linted.notes,
        )


def _best(proposals: Sequence[Proposal]) -> Proposal | None:
    """The proposal with code that is expected to save most; the first of equals."""
    with_code = [proposal for proposal in proposals if proposal.code is not None]
    return max(with_code, key=lambda proposal: proposal.estimated_reduction or 0.0, default=None)

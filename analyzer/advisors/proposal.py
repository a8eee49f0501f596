"""What one rule says about a snippet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from analyzer.advisors.port import Brief, Potential
from snipbench.domain.order import Kind


@dataclass(frozen=True, slots=True)
class Proposal:
    """Advice in words, with code where the rewrite is mechanical. ``rule`` names the rule in notes and tests.

    ``estimated_reduction`` is a share of the time from a measured table, ``None`` where there is no such measurement.
    """

    rule: str
    text: str
    potential: Potential
    code: str | None = None
    kind: Kind | None = None
    entry: str = "run"
    estimated_reduction: float | None = None


Rule = Callable[[Brief], Iterable[Proposal]]
"""Looks at a snippet; gives nothing where it has nothing to say."""

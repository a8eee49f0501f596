"""New data, or parameters that neither side has met, before every timed pair: nothing that was kept can be right."""

from __future__ import annotations

from orchestrator.proving.copies import DataCopies
from orchestrator.proving.duel import Duel
from snipbench.domain.order import Snippet
from snipbench.domain.plan import Parameters

LEAST_NUMBER = 100
"""Smaller whole numbers may be a choice rather than an amount; they stay as they are."""


class Variation:
    """What changes from pair to pair.

    Rows of the clone where each run reads them anew, and whole-number parameters where no row can go; where Spark keeps
    the rows (``source: cached``) it is the other way round: they have to be cached again before every pair.
    """

    def __init__(self, copies: DataCopies, point: Parameters, original: Snippet, *, cached: bool) -> None:
        self._copies = copies
        self._point = point
        self._cached = cached
        text = f"{original.input or ''} {original.code}"
        # A parameter of the experiment that the snippet does not take would change nothing.
        self._varied = [name for name, value in point if _amount(value) and name in text]

    def next(self, duel: Duel, number: int) -> Parameters | None:
        """Change something; the parameters of the next pair. None where there is nothing that could be changed."""
        if self._cached and self._varied:
            return self._moved(number)
        if not self._copies.disturb(number):
            return self._moved(number) if self._varied else None
        if self._cached:
            duel.prepare()
        return self._point

    def _moved(self, number: int) -> Parameters:
        return tuple(
            (name, value - number - 1 if name in self._varied and isinstance(value, int) else value)
            for name, value in self._point
        )


def _amount(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= LEAST_NUMBER

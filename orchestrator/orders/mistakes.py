"""Mistakes as they are found: where each stands in the order, and the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from orchestrator.orders.effort import Effort
from snipbench.errors import Mistake, OrderError

LONGEST = 1000
"""Characters of a message."""
MAX_MISTAKES = 100
"""Nobody reads on behind them; one repeated thousands of times would only cost time."""
LONGEST_NAME = 100
"""Characters of a name that others are compared with; comparing takes the square of it."""
MAX_NAMES = 200
"""So many are compared with it."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the order file, counting from 1."""

    line: int
    column: int


class Findings:
    """All mistakes of one order file. A mistake in a snippet's file sorts where the order names that file."""

    def __init__(self, file: str, effort: Effort | None = None) -> None:
        self.file = file
        self.effort = effort or Effort(file)
        self._found: dict[Mistake, Place] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: Place, path: str, message: str) -> None:
        """A mistake in the order itself.

        Raises:
            OrderError: it is one too many; those found so far.
        """
        shown = Mistake(self.file, place.line, place.column, _shortened(path) or "order", _shortened(message))
        self.add_elsewhere(place, shown)

    def add_elsewhere(self, place: Place, mistake: Mistake) -> None:
        """A mistake that may stand in another file; ``place`` is where the order leads to it. Raises as :meth:`add`."""
        self.effort.check()
        if mistake not in self._found and len(self._found) == MAX_MISTAKES:
            rest = Mistake(mistake.file, mistake.line, mistake.column, "order", f"more than {MAX_MISTAKES} mistakes")
            raise OrderError((*self.error().mistakes, rest))
        self._found.setdefault(mistake, place)

    def error(self) -> OrderError:
        """All of them, in file order."""
        found = ((place, mistake.file, mistake.line, mistake.column, mistake) for mistake, place in self._found.items())
        return OrderError(tuple(mistake for *_, mistake in sorted(found, key=lambda one: one[:4])))


def _shortened(text: str) -> str:
    """A text as it is, without its middle where a value or a name of the file makes it longer than a screen."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 200]} … {text[-150:]}"


def choices(valid: Iterable[str]) -> str:
    """``a, b, c`` for a message."""
    return ", ".join(str(name) for name in valid)


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that is most like ``name``, if one is like it at all."""
    if len(name) > LONGEST_NAME:
        return None
    likely = (candidate for candidate in valid if len(candidate) <= LONGEST_NAME)
    by_lower = {candidate.lower(): candidate for candidate in islice(likely, MAX_NAMES)}
    matches = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def hint(name: str, valid: Iterable[str], *, what: str = "valid") -> str:
    """End of a message about an unknown name: the nearest one and all valid ones."""
    names = list(valid)
    near = nearest(name, names)
    guess = f"; did you mean {near!r}?" if near else ""
    return f"{guess} ({what}: {choices(names) or 'none'})"

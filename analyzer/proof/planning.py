"""The plan of a proof: which copies of the data, how many pairs, in which order."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from snipbench.domain.order import Scalar
from snipbench.domain.plan import Parameters
from snipbench.identity import content_hash

PAIRS = 20
"""Timed pairs of each of the two sessions; the exact interval of their median ratio is the evidence."""
WARMUPS = 4
"""Untimed runs of each side before its pairs: what a fresh JVM compiles is not the snippet's cost."""
MAX_POINTS = 6
"""Parameter points at which results are compared; the costliest are taken."""

EARLIER = timedelta(days=37)
FOREIGN = "x"
"""What dates, instants and other texts of an unseen point differ by."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]")

Side = Literal["original", "candidate"]


class DataCopy(StrEnum):
    """Contents on which results are compared. All but the first are never shown to anybody and made only then."""

    CLONE = "clone"
    SECOND = "second"
    """Part of the rows, drawn at random, rows that belong together kept together."""
    MUTATED = "mutated"
    """NULLs where columns allow, duplicates, ties, and values at the edges, in few rows."""
    MUTATED_VALUES = "mutated_values"
    """As ``mutated`` without NULLs, for an original that cannot take them."""
    MUTATED_NULLS = "mutated_nulls"
    """As ``mutated`` with no value that the data does not have, for an original that cannot take them."""
    MUTATED_ROWS = "mutated_rows"
    """Duplicates and ties only."""
    EXTREME = "extreme"
    """As ``mutated``, with the greatest and the smallest values of each type."""
    EMPTY = "empty"
    """Tables without a row."""


MUTATED = (DataCopy.MUTATED, DataCopy.MUTATED_VALUES, DataCopy.MUTATED_NULLS, DataCopy.MUTATED_ROWS)
"""The mutated copies, the strictest first. The first that the original can take is the proof's; where that is not the
strictest of all, the later ones are compared as well, since none contains the others."""

REQUIRED = (DataCopy.CLONE, DataCopy.SECOND)
"""Copies that the original must be able to take, besides one of the mutated ones."""

OPTIONAL = (DataCopy.EXTREME, DataCopy.EMPTY)
"""Copies that are skipped where the original itself fails on them: there is no right answer there."""


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """One proof. ``points`` are where results are compared, ``timed`` is the point at which pairs are made.

    ``unseen`` are points that the order does not have: results are compared there too, since a rewrite with a
    parameter's value written into it is right at all the others. None where there is nothing to vary.

    ``first_pairs`` and ``second_pairs`` say which side goes first in each pair, for the session and the confirming one.
    """

    points: tuple[Parameters, ...]
    timed: Parameters
    warmups: int
    first_pairs: tuple[Side, ...]
    second_pairs: tuple[Side, ...]
    unseen: tuple[Parameters, ...] = ()


def plan_proof(
    points: Sequence[Parameters],
    *,
    seed: int,
    subject: str,
    original: str = "",
    pairs: int = PAIRS,
    warmups: int = WARMUPS,
) -> ProofPlan:
    """The plan of a proof; the same arguments give the same plan.

    Args:
        points: parameter points of the snippet, costliest first; pairs are timed at the first.
        seed: of the order.
        subject: what is proved, so that every proof has an order of its own.
        original: code and input of the original; a parameter that they do not name is not varied.
        pairs: timed pairs in each session.
        warmups: untimed runs of each side.

    Raises:
        ValueError: there is no point.
    """
    if not points:
        raise ValueError("a proof needs a parameter point, if only the empty one")
    return ProofPlan(
        points=tuple(points[:MAX_POINTS]),
        timed=points[0],
        warmups=warmups,
        first_pairs=pair_order(pairs, content_hash([seed, subject, "pairs"])),
        second_pairs=pair_order(pairs, content_hash([seed, subject, "confirmation"])),
        unseen=unseen_points(points, original),
    )


def unseen_points(points: Sequence[Parameters], original: str) -> tuple[Parameters, ...]:
    """Points near the first that are none of them.

    In the first every number, instant and truth value that the original names differs. In the second every other text
    does: nobody knows which there are, so an original may refuse it where it takes the first.
    """
    found = [_unseen(points, original, texts) for texts in (False, True)]
    return tuple(point for point in found if point is not None)


def _unseen(points: Sequence[Parameters], original: str, texts: bool) -> Parameters | None:
    point = points[0]
    named = {
        name for name, value in point if _is_text(value) is texts and re.search(rf"\b{re.escape(name)}\b", original)
    }
    for _ in range(len(points) + 1):
        point = tuple((name, _another(value) if name in named else value) for name, value in point)
        if point not in points:
            return point
    return None


def _is_text(value: Scalar) -> bool:
    return isinstance(value, str) and _another(value) == value + FOREIGN


def _another(value: Scalar) -> Scalar:
    """A value near this one, a little smaller in amount where there is room; of a text one that the data hardly has."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        less = max(1, abs(value) // 8)
        return value + 2 if value in {-1, 0, 1} else value - less if value > 0 else value + less
    if isinstance(value, float):
        return value * 0.875 if value else 0.5
    with contextlib.suppress(ValueError, OverflowError):  # no date
        return (date.fromisoformat(value) - EARLIER).isoformat()
    if _INSTANT.match(value):
        with contextlib.suppress(ValueError, OverflowError):
            return (datetime.fromisoformat(value) - EARLIER).isoformat(sep=value[10])
    return value + FOREIGN


def pair_order(pairs: int, seed: str) -> tuple[Side, ...]:
    """Which side goes first in each pair: each of them in half of the pairs, in random order."""
    sides: list[Side] = ["original" if number % 2 else "candidate" for number in range(pairs)]
    random.Random(seed).shuffle(sides)
    return tuple(sides)

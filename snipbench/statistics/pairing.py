"""Which side of a pair runs first."""

from __future__ import annotations

import random
from collections.abc import Iterator


def mirrored(pairs: int, chance: random.Random) -> Iterator[bool]:
    """For each pair, whether its first side runs first.

    Two pairs in a row are mirrors of each other, ABBA or BAAB by chance: what it costs to come first weighs on both
    sides alike, and so does a drift. An odd last pair is left to chance.
    """
    first = True
    for number in range(pairs):
        first = not first if number % 2 else chance.random() < 0.5
        yield first

"""Labels for outliers; labelled values stay in every figure."""

from __future__ import annotations

from collections.abc import Sequence

from snipbench.statistics.interval import median

OUTLIER_SCORE = 3.5
"""A value farther than this many robust standard deviations from the median is labelled.

The robust standard deviation is 1.4826 x the median absolute deviation, which equals the standard deviation for
normal values; 3.5 is the bound of Iglewicz and Hoaglin (1993), "How to Detect and Handle Outliers".
"""

MAD_TO_DEVIATION = 1.4826
MINIMUM_VALUES = 5
"""With fewer values a deviation says nothing, and none is labelled."""


def outlier_labels(values: Sequence[float | None]) -> tuple[bool, ...]:
    """Whether each value is an outlier, in the order of ``values``; a missing value never is.

    Where more than half of the values are equal the deviation is 0 and tells no scale: none is labelled.
    """
    present = [value for value in values if value is not None]
    if len(present) < MINIMUM_VALUES:
        return tuple(False for _ in values)
    center = median(present)
    deviation = MAD_TO_DEVIATION * median([abs(value - center) for value in present])
    if deviation == 0:
        return tuple(False for _ in values)
    return tuple(value is not None and abs(value - center) > OUTLIER_SCORE * deviation for value in values)

"""The statistics of measured times (design, rule 8): medians, paired ratios, labelled outliers. Pure Python.

Nothing here draws random numbers or assumes a distribution; intervals are exact order-statistic intervals.
"""

from snipbench.statistics.interval import Interval, interval_ranks, median, median_interval
from snipbench.statistics.outliers import OUTLIER_SCORE, outlier_labels
from snipbench.statistics.ratio import (
    EQUIVALENCE,
    MINIMUM_PAIRS,
    RatioResult,
    RatioVerdict,
    against_floor,
    paired_ratio,
    unpaired_ratio,
)
from snipbench.statistics.steadiness import Steadiness, steadiness

__all__ = [
    "EQUIVALENCE",
    "MINIMUM_PAIRS",
    "OUTLIER_SCORE",
    "Interval",
    "RatioResult",
    "RatioVerdict",
    "Steadiness",
    "against_floor",
    "interval_ranks",
    "median",
    "median_interval",
    "outlier_labels",
    "paired_ratio",
    "steadiness",
    "unpaired_ratio",
]
